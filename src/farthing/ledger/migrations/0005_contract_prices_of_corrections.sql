-- Corrections keep and restore contract prices too.

-- Until now no correction changed a contract price, so every former posting had the one that its call has now.
ALTER TABLE former_postings ADD COLUMN contract_pusd HUGEINT;
UPDATE former_postings
SET contract_pusd = calls.contract_pusd
FROM calls
WHERE calls.call_no = former_postings.call_no;

-- Without any contract price the sums under contract were those at list; else nobody kept them.
ALTER TABLE changes ADD COLUMN before_contract_pusd HUGEINT;
ALTER TABLE changes ADD COLUMN after_contract_pusd HUGEINT;
UPDATE changes
SET before_contract_pusd = before_pusd, after_contract_pusd = after_pusd
WHERE NOT EXISTS (SELECT 1 FROM calls WHERE contract_pusd IS NOT NULL);
