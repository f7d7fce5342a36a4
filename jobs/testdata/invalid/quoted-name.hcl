# want quoted-name.hcl:4,5: Invalid argument name: Argument names must not be quoted.
job "a" {
  account "x" {
    "password" = "s3cret"
  }
}
