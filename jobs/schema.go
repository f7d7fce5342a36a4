package jobs

import (
	"crypto/tls"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/migrate"
	"popmigrate/pop3"
	"popmigrate/sinks"
)

// The schema of a job file: which blocks and attributes stand where. What an
// attribute may hold is decided where it is read.

var fileSchema = &hcl.BodySchema{
	Blocks: []hcl.BlockHeaderSchema{{Type: "job", LabelNames: []string{"name"}}},
}

var jobSchema = &hcl.BodySchema{
	Attributes: attributes("delete", "profiles"),
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "accounts"},
		{Type: "account", LabelNames: []string{"name"}},
		{Type: "source", LabelNames: []string{"kind"}},
		{Type: "sink", LabelNames: []string{"kind", "name"}},
		{Type: "checkpoint"},
		{Type: "limits"},
	},
}

var (
	accountsSchema   = &hcl.BodySchema{Attributes: attributes("csv")}
	accountSchema    = &hcl.BodySchema{Attributes: attributes("user", "password", "refresh_token", "server", "target", "hold", "source")}
	checkpointSchema = &hcl.BodySchema{Attributes: attributes("dir")}
	limitsSchema     = &hcl.BodySchema{Attributes: attributes("sessions", "sessions_per_host", "login_spacing",
		"host_pause", "attempts", "backoff", "slice_time", "slice_messages", "memory")}
)

var (
	demoSchema = &hcl.BodySchema{Attributes: attributes("name", "pipelining")}
	pop3Schema = &hcl.BodySchema{
		Attributes: attributes("name", "server", "tls", "allow_cleartext", "tls_ca", "tls_pin", "tls_server_name",
			"tls_min", "tls_cert", "tls_key", "auth", "identity", "utf8", "login", "password", "pipelining", "preset", "allow_retr_hides"),
		Blocks: []hcl.BlockHeaderSchema{{Type: "timeouts"}, {Type: "oauth2"}, {Type: "kerberos"}},
	}
	kpopSchema = &hcl.BodySchema{
		Attributes: attributes("name", "server", "allow_cleartext", "login", "pipelining", "allow_retr_hides", "tls", "auth", "password"), // the last three to refuse them
		Blocks:     []hcl.BlockHeaderSchema{{Type: "timeouts"}, {Type: "kerberos"}},
	}
	kerberosSchema = &hcl.BodySchema{Attributes: attributes("principal", "keytab", "ccache", "password", "krb5_conf", "service", "service_host")}
	timeoutsSchema = &hcl.BodySchema{Attributes: attributes("dial", "tls", "greeting", "command", "login", "data", "top", "quit")}
)

var (
	mboxSchema    = &hcl.BodySchema{Attributes: attributes("dir", "compression", "segment")}
	maildirSchema = &hcl.BodySchema{Attributes: attributes("dir")}
	deliverSchema = &hcl.BodySchema{Attributes: attributes("server", "recipient", "tls", "allow_cleartext", "tls_ca",
		"mail_from", "user", "password")}
)

func attributes(names ...string) []hcl.AttributeSchema {
	list := make([]hcl.AttributeSchema, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	return list
}

// words are what an attribute with a fixed choice may say; the first is the
// default.
type words[T any] []struct {
	Word  string
	Value T
}

var (
	deleteWords = words[migrate.DeletePolicy]{{"never", migrate.DeleteNever}, {"verified", migrate.DeleteVerified},
		{"accepted", migrate.DeleteAccepted}, {"forbidden", migrate.DeleteForbidden}}
	tlsWords        = words[migrate.TLSMode]{{"implicit", migrate.TLSImplicit}, {"starttls", migrate.TLSStart}, {"none", migrate.TLSNone}}
	deliverTLSWords = words[migrate.TLSMode]{{"starttls", migrate.TLSStart}, {"implicit", migrate.TLSImplicit}, {"none", migrate.TLSNone}}
	tlsMinWords     = words[uint16]{{"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13}, {"1.1", tls.VersionTLS11}, {"1.0", tls.VersionTLS10}}
	utf8Words       = words[migrate.UTF8Mode]{{"auto", migrate.UTF8Auto}, {"on", migrate.UTF8On}, {"off", migrate.UTF8Off}}
	pipeliningWords = words[pop3.Pipelining]{{"auto", pop3.PipelineAuto}, {"on", pop3.PipelineOn}, {"off", pop3.PipelineOff}}
	codecWords      = words[sinks.Compression]{{"zstd", sinks.Zstd}, {"gzip", sinks.Gzip}, {"none", sinks.Uncompressed}}
	mailFromWords   = words[bool]{{"<>", false}, {"return-path", true}} // true: the header's Return-Path
)
