package jobs

import (
	"bytes"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// masked returns a copy of a job file in which the text of every literal
// secret is replaced by asterisks of equal length, so that positions stay
// true. It works on tokens, and so on files that do not parse.
func masked(src []byte, filename string) []byte {
	out := bytes.Clone(src)
	tokens, _ := hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	for i := 0; i+1 < len(tokens); i++ {
		if !namesSecret(tokens[i]) {
			continue
		}
		end := i + 1
		for end < len(tokens) && (tokens[end].Type != hclsyntax.TokenNewline || end == i+2) {
			end++
		}
		if value := tokens[i+1 : end]; !isReference(value) {
			maskTokens(out, value)
		}
	}
	for _, at := range urlPassword.FindAllSubmatchIndex(out, -1) {
		fill(out[at[2]:at[3]])
	}
	return out
}

// urlPassword finds a password in a URL.
var urlPassword = regexp.MustCompile(`://[^/@:"\s]*:([^"\n]*)@`)

// namesSecret tells whether a token can be the name of an attribute that holds
// a secret.
func namesSecret(token hclsyntax.Token) bool {
	switch token.Type {
	case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit:
		name := string(token.Bytes)
		return isSecretName(name) || editDistance(name, "password") <= 2
	}
	return false
}

// isReference tells whether tokens are "= name(strings…)" and nothing else,
// where what env names could be a variable: else it may be the secret itself.
func isReference(tokens hclsyntax.Tokens) bool {
	if len(tokens) < 4 || tokens[0].Type != hclsyntax.TokenEqual ||
		tokens[1].Type != hclsyntax.TokenIdent || tokens[2].Type != hclsyntax.TokenOParen {
		return false
	}
	name := string(tokens[1].Bytes)
	_, known := references[name]
	for i, token := range tokens[3:] {
		if name == "env" && token.Type == hclsyntax.TokenQuotedLit && !envName.Match(token.Bytes) {
			return false
		}
		if token.Type == hclsyntax.TokenCParen {
			rest := tokens[3+i+1:]
			if len(rest) == 0 {
				return known
			}
			switch rest[0].Type {
			case hclsyntax.TokenComment, hclsyntax.TokenCBrace, hclsyntax.TokenEOF:
				return known
			}
			return false
		}
	}
	return false
}

func maskTokens(out []byte, tokens hclsyntax.Tokens) {
	for i, token := range tokens {
		if i == 0 && token.Type == hclsyntax.TokenEqual {
			continue
		}
		fill(out[token.Range.Start.Byte:token.Range.End.Byte])
	}
}

// fill replaces all but line ends and quotes.
func fill(octets []byte) {
	for i, c := range octets {
		if c != '\n' && c != '\r' && c != '"' {
			octets[i] = '*'
		}
	}
}
