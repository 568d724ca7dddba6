-- Every correction with its changes, oldest first.
SELECT
    corrections.correction_id,
    made_at,
    reason,
    book_version,
    state,
    changes.model,
    changes.calls,
    changes.changed_calls,
    changes.before_pusd,
    changes.after_pusd,
    changes.before_unpriced,
    changes.after_unpriced,
    changes.before_contract_pusd,
    changes.after_contract_pusd
FROM corrections
LEFT JOIN changes ON changes.correction_id = corrections.correction_id
ORDER BY corrections.correction_id, changes.model;
