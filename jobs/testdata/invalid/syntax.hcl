# want syntax.hcl:7,23: Invalid multi-line string: Quoted strings may not be split over multiple lines. To
# want syntax.hcl:7,23: Unterminated template string: No closing marker was found for the string.
# want syntax.hcl:8,4: Invalid multi-line string: Quoted strings may not be split over multiple lines. To
# want syntax.hcl:9,2: Invalid multi-line string: Quoted strings may not be split over multiple lines. To
job "a" {
  account "x" {
    password = "s3cret
  }
}
