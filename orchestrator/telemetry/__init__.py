"""What a process says about its own work: lines, counters, spans. All of them name ids, and none of them people."""
