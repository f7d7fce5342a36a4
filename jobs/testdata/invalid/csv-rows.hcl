# want csv-rows.csv:2,18: hold: Unknown word: hold is yes or no (true, false, 1, 0; empty means no).
# want csv-rows.csv:3,6: password: More than one password: At most one of password, password_env and password_file
# want csv-rows.csv:4,2: user: Unusable characters: The value contains control characters or is not UTF-8.
# want csv-rows.csv:6,1: Wrong number of columns: The row has 3 columns, the header 8. A delimiter inside a value
# want csv-rows.csv:7,2: user: Missing user: The account has neither user nor name.
# want csv-rows.csv:8,6: password: Missing password: Neither the account nor its source has a password.
# want csv-rows.csv:9,8: password_env: Unusable password: What stands here is not the name of an environment
# want csv-rows.csv:10,7: password_env: Unusable password: The environment variable UNSET_GUS is not set.
# want csv-rows.csv:11,8: password_file: Unusable password: file("missing-file") cannot be read: stat
# want csv-rows.csv:12,15: server: Wrong server: Expected host or host:port.
# want csv-rows.csv:13,17: source: Unknown source: No source of this job has the name that stands here.
# want csv-rows.csv:14,2: user: Unusable characters: The value contains control characters or is not UTF-8.
# want csv-rows.csv:15,6: password: Unusable password: It contains a line end or NUL.
job "a" {
  accounts {
    csv = "csv-rows.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
