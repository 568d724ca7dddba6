"""What you already have, read into Calls: transcripts, usage reports, exports."""
