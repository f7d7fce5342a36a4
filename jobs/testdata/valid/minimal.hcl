job "minimal" {
  account "alice@example.net" {
    password = env("ALICE_PASSWORD")
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
