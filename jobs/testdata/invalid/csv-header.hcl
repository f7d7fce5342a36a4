# want csv-header.csv:1,1: Unknown column: "nmae" is not a column; did you mean "name"? Where not, give it a name
# want csv-header.csv:1,6: Unknown column: "usr" is not a column; did you mean "user"? Where not, give it a name
# want csv-header.csv:1,19: Unknown column: "hlod" is not a column; did you mean "hold"? Where not, give it a name
# want csv-header.csv:1,29: Column twice: The header names "hold" twice.
# want csv-header.csv:1,34: Unnamed column: Column 7 of the header has no name, or one that is not plain text.
# want csv-header.csv:1,40: Column twice: The header names "Dept" twice.
job "a" {
  accounts {
    csv = "csv-header.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
