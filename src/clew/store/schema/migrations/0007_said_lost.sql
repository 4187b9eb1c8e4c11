-- Surges of lost messages are counted by when each was first said to be lost, whatever is said of it later. The step
-- may be done again.
CHANGE hop_losses ADD COLUMN IF NOT EXISTS said_lost DateTime64(9, 'UTC') AFTER detail;
