# want csv-blank.csv:1,1: Empty account list: The list is empty; its first line names the columns, such as
job "a" {
  accounts {
    csv = "csv-blank.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
