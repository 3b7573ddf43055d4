"""Japanese."""

TEXTS = {
    "lang": "ja",
    "title": "どちらの分類器がコストを下げるか",
    "difference_of": "{candidate} − {baseline}",
    "interval": "{low} ～ {high}",
    # Verdict
    "section_verdict": "判定",
    "better": "優れる",
    "worse": "劣る",
    "equivalent": "同等",
    "inconclusive": "判定できません",
    "verdict_better": "{candidate} は {baseline} よりコストが低く、1000個あたり {amount} "
    "の削減になります（{confidence} 信頼区間：{low} ～ {high}）。",
    "verdict_worse": "{candidate} は {baseline} よりコストが高く、1000個あたり {amount} "
    "の増加になります（{confidence} 信頼区間：{low} ～ {high}）。",
    "verdict_equivalent": "{candidate} と {baseline} は同等です。1000個あたりのコストの差が許容差 "
    "{rope} 未満である確率は {probability} です。",
    "verdict_inconclusive": "{parts} 個のデータでは {candidate} と {baseline} の優劣を"
    "判定できません。1000個あたりのコストの差は {amount} でした（{confidence} 信頼区間：{low} ～ "
    "{high}、負の値は {candidate} のほうが低コスト）。",
    "verdict_same": "{candidate} と {baseline} のコストは、すべての分割で完全に一致しました。",
    "sure_cheaper": "{candidate} のほうが低コストである確率は {probability} です。",
    "sure_cheaper_rope": "{candidate} のほうが {rope} を超えて低コストである確率は "
    "{probability} です。",
    "sure_dearer": "{candidate} のほうが高コストである確率は {probability} です。",
    "sure_dearer_rope": "{candidate} のほうが {rope} を超えて高コストである確率は "
    "{probability} です。",
    "more_parts": "この大きさの差を判定するには、さらに約 {more} 個のデータが必要です。",
    "more_parts_cap": "これほど小さな差を判定するには、現在の100倍を超えるデータが必要です。",
    "more_parts_holm": "この比較だけならデータ数は足りていますが、{pairs} "
    "件の比較を同時に行うには不足しています。",
    "note_unit": "コストの単位は、下のコスト表と同じです。",
    "note_wrong_calls": "誤判定1件のコストを1としているため、コストは誤判定（見逃し・過検出など）"
    "の件数です。",
    "note_prevalence": "コストと主要指標は、実際の工程における各クラスの割合に換算した値です。",
    # Key figures
    "section_kpis": "主要指標",
    "estimator": "分類器",
    "cost": "1000個あたりのコスト",
    "accuracy": "正解率",
    "log_loss": "対数損失",
    "brier": "ブライアスコア",
    "fit_seconds": "学習時間（秒）",
    "policy_pass_all": "全数合格（{decision}）",
    "policy_best_constant": "常に同じ処置（{decision}）",
    "policy_perfect": "完全な検査",
    "note_kpis": "全分割の平均値です。下段は {confidence} 信頼区間です。正解率は最も確率の高い"
    "クラスで、コストは最も安い処置で評価するため、両者の優劣は一致しないことがあります。"
    "コスト、対数損失、ブライアスコアは小さいほど良い指標です。",
    # Differences
    "section_differences": "差",
    "less_is_better": "{metric}（小さいほど良い）",
    "more_is_better": "{metric}（大きいほど良い）",
    "figure_differences": "各指標の差と {confidence} 信頼区間",
    "note_differences": "候補から現行を引いた差と {confidence} 信頼区間です。破線は差がないことを、"
    "帯は実用上問題にならない差の範囲を示します。",
    "candidate": "候補",
    "baseline": "現行",
    "candidate_mean": "平均値（候補）",
    "baseline_mean": "平均値（現行）",
    "metric": "指標",
    "difference": "差",
    "prob_better": "優れる確率",
    "prob_equivalent": "同等の確率",
    "verdict": "判定",
    # Confusion
    "section_confusion": "処置の内訳とそのコスト",
    "figure_confusion": "{name} の各クラスに対する処置（1000個あたりの個数とコスト）",
    "confusion_parts": "1000個中の個数",
    "confusion_cost": "1000個あたりのコスト",
    "truth": "真のクラス",
    "decision": "処置",
    "note_confusion": "行は真のクラス、列は処置です。不良を良品とする見逃しと、良品を不良とする"
    "過検出が読み取れます。値は繰り返しの平均です。",
    # Reliability
    "section_reliability": "確率は信頼できるか",
    "figure_reliability": "クラス別の予測確率と実測割合",
    "predicted": "予測確率",
    "observed_share": "実測割合",
    "left_out": "表示していないクラス：{names}",
    "note_reliability": "対角線上の点は、予測確率が実測と一致していることを示します。縦棒は 95 % "
    "ウィルソン信頼区間です。1回目の繰り返しの予測を用い、クラスの割合はデータのままです。",
    "caption_ece": "較正誤差（ECE）",
    "class": "クラス",
    "top_label": "最も確率の高いクラス",
    "ece": "ECE",
    "expected_if_perfect": "完全な確率での期待値",
    "q95_if_perfect": "完全な確率での上限（95 %）",
    "caption_counts": "クラス別の個数",
    "observed": "実測",
    "expected": "期待",
    "std_err": "標準誤差",
    "note_ece": "完全な確率であっても、このデータ数では誤差がゼロになりません。ECE はその期待値と"
    "比べて評価してください。",
    # Sensitivity
    "section_sensitivity": "不良品に対する誤りのコストが変わった場合",
    "figure_sensitivity": "不良品に対する誤りのコストとコストの差",
    "factor": "不良品のコストに掛ける倍率",
    "cost_difference": "1000個あたりの\nコストの差",
    "note_sensitivity": "{good} 以外のクラスのコストに倍率を掛けています。"
    "ゼロより下では候補のほうが低コストです。",
    "no_good": "良品のクラスが指定されていないため、求められません。",
    # Costs
    "section_costs": "コスト表",
    "note_costs": "真のクラス（行）に対する各処置（列）の1個あたりのコストです。",
    # Method
    "section_method": "評価方法",
    "method_folds": "データ",
    "method_folds_text": "{parts} 個。{repeats} × {folds} "
    "分割の交差検証で、すべての分類器に同じ分割を用いました。乱数シード {seed}。",
    "method_groups": "ロット",
    "method_groups_text": "{groups} ロット。同じロットの部品が学習側と評価側に分かれることは"
    "ありません。",
    "method_no_groups": "指定なし。各部品は独立とみなします。",
    "method_test": "検定",
    "method_test_text": "分割ごとの差に対する両側 t 検定で、学習データの重なりを補正しています"
    "（Nadeau–Bengio）。確率も同じ t 分布によります。判定には、{pairs} 件の比較に対して Holm 法で"
    "補正した p 値を用い、信頼水準は {confidence} です。必要なデータ数は検出力 80 % の場合です。",
    "method_intervals": "主要指標の信頼区間",
    "method_intervals_text": "1回の繰り返しの予測をまとめて求めました。割合は Wilson 法、"
    "その他は Wald 法により、ロットがある場合はロット単位で計算します。",
    "method_rope": "実用上問題にならない差",
    "method_no_rope": "指定なし。同等という判定は行いません。",
    "method_prevalence": "工程における各クラスの割合",
    "method_no_prevalence": "データと同じ。",
    "method_messages": "学習時の警告",
    "method_versions": "バージョン",
    "caption_tests": "検定結果",
    "se": "標準誤差",
    "df": "自由度",
    "p_value": "p 値",
    "p_holm": "p 値（Holm）",
    "none": "なし",
}
