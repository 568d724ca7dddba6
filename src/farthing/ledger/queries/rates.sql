-- Reads the rates that the price engine composed ($path, JSON lines), one row per set of facts and price band.
-- A row with an unpriced text says that these facts have no price. "alone" rows hold only for a single request whose prompt is
-- known: in the upper bands a sum over several prompts could belong to a lower one.
CREATE OR REPLACE TEMP TABLE rates AS
SELECT *
FROM read_json(
    $path,
    format = 'newline_delimited',
    columns = {
        model: 'VARCHAR', channel: 'VARCHAR', location: 'VARCHAR', service_tier: 'VARCHAR', speed: 'VARCHAR',
        inference_geo: 'VARCHAR', sent_on: 'DATE', prompt_tokens_over: 'BIGINT', prompt_tokens_up_to: 'BIGINT',
        alone: 'BOOLEAN', input_pusd: 'HUGEINT', cache_write_5m_pusd: 'HUGEINT', cache_write_1h_pusd: 'HUGEINT',
        cache_read_pusd: 'HUGEINT', output_pusd: 'HUGEINT', web_search_pusd: 'HUGEINT', kind: 'VARCHAR',
        unpriced: 'VARCHAR'
    }
);
