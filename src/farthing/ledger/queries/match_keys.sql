-- Staged records whose narrow keys a call of the ledger has: nearly always none, and then nothing else is compared.
SELECT
    EXISTS (FROM calls SEMI JOIN staged ON staged.call_key = calls.call_key)
    OR EXISTS (FROM calls SEMI JOIN staged ON staged.message_key = calls.message_key);
