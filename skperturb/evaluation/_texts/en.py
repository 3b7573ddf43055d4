"""English."""

TEXTS = {
    "lang": "en",
    "title": "Which classifier costs less?",
    "difference_of": "{candidate} − {baseline}",
    "interval": "{low} to {high}",
    # Verdict
    "section_verdict": "Verdict",
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent",
    "inconclusive": "inconclusive",
    "verdict_better": "{candidate} is cheaper than {baseline}: it saves {amount} per 1000 parts "
    "({confidence} confidence interval: {low} to {high}).",
    "verdict_worse": "{candidate} is dearer than {baseline}: it costs {amount} more per 1000 parts "
    "({confidence} confidence interval: {low} to {high}).",
    "verdict_equivalent": "{candidate} and {baseline} are equivalent: their costs per 1000 parts "
    "differ by less than {rope}, the margin that matters, with a probability of {probability}.",
    "verdict_inconclusive": "{parts} parts do not decide between {candidate} and {baseline}. The "
    "difference in cost was {amount} per 1000 parts ({confidence} confidence interval: {low} to "
    "{high}; negative: {candidate} is cheaper).",
    "verdict_same": "{candidate} and {baseline} cost exactly the same in every fold.",
    "sure_cheaper": "The probability that {candidate} is cheaper is {probability}.",
    "sure_cheaper_rope": "The probability that {candidate} is cheaper by more than {rope} is "
    "{probability}.",
    "sure_dearer": "The probability that {candidate} is dearer is {probability}.",
    "sure_dearer_rope": "The probability that {candidate} is dearer by more than {rope} is "
    "{probability}.",
    "more_parts": "About {more} more parts would settle a difference of this size.",
    "more_parts_cap": "To settle a difference this small would take more than 100 times as many "
    "parts.",
    "more_parts_holm": "The parts would be enough for this comparison alone, but not for {pairs} "
    "comparisons at once.",
    "note_unit": "Costs are in the unit of the cost matrix below.",
    "note_wrong_calls": "Each wrong call costs 1, so the cost is the number of wrong calls.",
    "note_prevalence": "Costs and key figures are converted to the shares of the classes on the "
    "line.",
    # Key figures
    "section_kpis": "Key figures",
    "estimator": "Classifier",
    "cost": "Cost per 1000 parts",
    "accuracy": "Accuracy",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "fit_seconds": "Training time in s",
    "policy_pass_all": "Pass all ({decision})",
    "policy_best_constant": "Always the same decision ({decision})",
    "policy_perfect": "Perfect inspection",
    "note_kpis": "Means over all folds; below them the {confidence} confidence interval. Accuracy "
    "looks at the most probable class, the cost at the cheapest decision: the two may disagree. "
    "Of cost, log loss and Brier score, less is better.",
    # Differences
    "section_differences": "Differences",
    "less_is_better": "{metric} (less is better)",
    "more_is_better": "{metric} (more is better)",
    "figure_differences": "Difference of each figure, with its {confidence} confidence interval",
    "note_differences": "Candidate less baseline, with {confidence} confidence intervals. On the "
    "dashed line there is no difference; a shaded band marks differences that do not matter.",
    "candidate": "Candidate",
    "baseline": "Baseline",
    "candidate_mean": "Mean, candidate",
    "baseline_mean": "Mean, baseline",
    "metric": "Figure",
    "difference": "Difference",
    "prob_better": "Probability: better",
    "prob_equivalent": "Probability: equivalent",
    "verdict": "Verdict",
    # Confusion
    "section_confusion": "Decisions and what they cost",
    "figure_confusion": "Decisions of {name} for each class, per 1000 parts and in cost",
    "confusion_parts": "Parts of 1000",
    "confusion_cost": "Cost per 1000 parts",
    "truth": "True class",
    "decision": "Decision",
    "note_confusion": "Rows are what the part is, columns what is decided; mean over the repeats.",
    # Reliability
    "section_reliability": "Do the probabilities hold?",
    "figure_reliability": "Observed share against predicted probability, class by class",
    "predicted": "Predicted probability",
    "observed_share": "Observed share",
    "left_out": "Not shown: {names}",
    "note_reliability": "Points on the diagonal hold what they promise; bars are 95 % Wilson "
    "intervals. First repeat, with the class shares of the study.",
    "caption_ece": "Calibration error (ECE)",
    "class": "Class",
    "top_label": "Most probable class",
    "ece": "ECE",
    "expected_if_perfect": "Expected if perfect",
    "q95_if_perfect": "At most if perfect (95 %)",
    "caption_counts": "Parts of each class",
    "observed": "Observed",
    "expected": "Expected",
    "std_err": "Standard error",
    "note_ece": "Even perfect probabilities show an error with this number of parts: judge the ECE "
    "against that.",
    # Sensitivity
    "section_sensitivity": "If errors on defective parts cost more, or less",
    "figure_sensitivity": "Cost difference against the cost of errors on defective parts",
    "factor": "Factor on the costs of defective parts",
    "cost_difference": "Difference in cost\nper 1000 parts",
    "note_sensitivity": "The costs of all classes but {good} are multiplied by the factor. Below "
    "zero the candidate is cheaper.",
    "no_good": "Unknown: it was not said which class is that of good parts.",
    # Costs
    "section_costs": "Cost matrix",
    "note_costs": "Cost of each decision (columns) for each true class (rows), per part.",
    # Method
    "section_method": "Method",
    "method_folds": "Data",
    "method_folds_text": "{parts} parts; {repeats} × {folds} cross-validation, all classifiers on "
    "the same folds; random seed {seed}.",
    "method_groups": "Lots",
    "method_groups_text": "{groups} lots; parts of one lot are never on both sides of a split.",
    "method_no_groups": "None given: parts count as independent.",
    "method_test": "Test",
    "method_test_text": "Two-sided t test on the differences of the folds, corrected for the "
    "overlap of the training sets (Nadeau and Bengio). Probabilities come from the same t "
    "distribution. Verdicts use p after Holm's correction for {pairs} comparisons, at "
    "{confidence} confidence. The parts needed are those for a power of 80 %.",
    "method_intervals": "Intervals of the key figures",
    "method_intervals_text": "From the pooled predictions of one repeat: Wilson's for shares, "
    "Wald's otherwise, by lot where there are lots.",
    "method_rope": "Differences that do not matter",
    "method_no_rope": "None given: no two classifiers can be found equivalent.",
    "method_prevalence": "Class shares on the line",
    "method_no_prevalence": "As in the data.",
    "method_messages": "Warnings in training",
    "method_versions": "Versions",
    "caption_tests": "Tests",
    "se": "Standard error",
    "df": "df",
    "p_value": "p",
    "p_holm": "p (Holm)",
    "none": "none",
}
