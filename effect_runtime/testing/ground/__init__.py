"""What outlives a process, disks, a broker, parties outside, and what may go wrong there. Knows no client."""
