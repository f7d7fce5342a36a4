# want csv-quote.csv:2,13: Misplaced quote: A value that contains a quote stands in quotes as a whole, and the quote
job "a" {
  accounts {
    csv = "csv-quote.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
