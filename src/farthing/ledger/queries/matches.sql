-- Staged records that may be calls the ledger has: by call id, or by message id. by_key has what the
-- narrow keys say of it.
-- One that is equally known, and has no dimension, tag or request that the call lacks, changes nothing.
SELECT by_key.staged_no, by_key.call_no,
    calls.call_id = staged.call_id
        AND calls.served_kind = staged.served_kind
        AND calls.output_tokens = staged.output_tokens
        AND coalesce(calls.request_id, '') = coalesce(staged.request_id, '')
        AND (coalesce(staged.tenant, '') = '' OR coalesce(calls.tenant, '') <> '')
        AND (coalesce(staged.feature, '') = '' OR coalesce(calls.feature, '') <> '')
        AND (coalesce(staged.prompt, '') = '' OR coalesce(calls.prompt, '') <> '')
        AND (coalesce(staged.prompt_version, '') = '' OR coalesce(calls.prompt_version, '') <> '')
        AND (coalesce(staged."user", '') = '' OR coalesce(calls."user", '') <> '')
        AND (coalesce(staged.session, '') = '' OR coalesce(calls.session, '') <> '')
        AND (coalesce(staged.agent, '') = '' OR coalesce(calls.agent, '') <> '')
        AND (coalesce(staged.environment, '') = '' OR coalesce(calls.environment, '') <> '')
        AND (coalesce(staged.workspace, '') = '' OR coalesce(calls.workspace, '') <> '')
        AND (coalesce(staged.api_key, '') = '' OR coalesce(calls.api_key, '') <> '')
        AND (coalesce(staged.project, '') = '' OR coalesce(calls.project, '') <> '')
        AND (
            staged.tags = calls.tags
            OR len(list_filter(
                map_entries(staged.tags),
                lambda tag: tag.value <> '' AND coalesce(calls.tags[tag.key], '') = ''
            )) = 0
        )
        AND (staged.request IS NULL OR by_key.call_no IN (SELECT call_no FROM requests)) AS equally_known
FROM by_key
JOIN calls ON calls.call_no = by_key.call_no
JOIN staged ON staged.call_no = by_key.staged_no
WHERE calls.call_no BETWEEN $least AND $most
    AND (calls.call_id = staged.call_id OR calls.message_id = staged.message_id);
