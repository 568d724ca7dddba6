-- Staged records that may be calls the ledger has: by call id, or by message id. by_key has what the
-- narrow keys say of it.
-- One that is equally known, and has no dimension, tag or request that the call lacks, changes nothing.
WITH found AS MATERIALIZED (
    SELECT
        call_no,
        call_id,
        message_id,
        request_id,
        served_kind,
        output_tokens,
        tenant,
        feature,
        prompt,
        prompt_version,
        "user",
        session,
        agent,
        environment,
        workspace,
        api_key,
        project,
        tags
    FROM calls
    WHERE call_no BETWEEN $least AND $most AND call_no IN (SELECT call_no FROM by_key)
),
asked AS MATERIALIZED (
    SELECT call_no FROM requests
    WHERE call_no BETWEEN $least AND $most AND call_no IN (SELECT call_no FROM by_key)
)
SELECT by_key.staged_no, by_key.call_no,
    found.call_id = staged.call_id
        AND found.served_kind = staged.served_kind
        AND found.output_tokens = staged.output_tokens
        AND coalesce(found.request_id, '') = coalesce(staged.request_id, '')
        AND (coalesce(staged.tenant, '') = '' OR coalesce(found.tenant, '') <> '')
        AND (coalesce(staged.feature, '') = '' OR coalesce(found.feature, '') <> '')
        AND (coalesce(staged.prompt, '') = '' OR coalesce(found.prompt, '') <> '')
        AND (coalesce(staged.prompt_version, '') = '' OR coalesce(found.prompt_version, '') <> '')
        AND (coalesce(staged."user", '') = '' OR coalesce(found."user", '') <> '')
        AND (coalesce(staged.session, '') = '' OR coalesce(found.session, '') <> '')
        AND (coalesce(staged.agent, '') = '' OR coalesce(found.agent, '') <> '')
        AND (coalesce(staged.environment, '') = '' OR coalesce(found.environment, '') <> '')
        AND (coalesce(staged.workspace, '') = '' OR coalesce(found.workspace, '') <> '')
        AND (coalesce(staged.api_key, '') = '' OR coalesce(found.api_key, '') <> '')
        AND (coalesce(staged.project, '') = '' OR coalesce(found.project, '') <> '')
        AND (
            staged.tags = found.tags
            OR len(list_filter(
                map_entries(staged.tags),
                lambda tag: tag.value <> '' AND coalesce(found.tags[tag.key], '') = ''
            )) = 0
        )
        AND (staged.request IS NULL OR by_key.call_no IN (SELECT call_no FROM asked)) AS equally_known
FROM by_key
JOIN found ON found.call_no = by_key.call_no
JOIN staged ON staged.call_no = by_key.staged_no
WHERE found.call_id = staged.call_id OR found.message_id = staged.message_id;
