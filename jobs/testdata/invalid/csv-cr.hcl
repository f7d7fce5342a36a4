# want csv-cr.csv:1,6: Wrong line ends: The lines end in CR alone; save the list with LF or CRLF.
job "a" {
  accounts {
    csv = "csv-cr.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
