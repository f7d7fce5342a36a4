package jobs

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// masked returns a copy of a job file as its problems may show it. Values are
// replaced by asterisks of equal length, so that positions stay true, unless
// they are those of attributes that job files have and that hold no secret:
// what stands behind a misspelt or foreign name may be a password. Comments
// go, too, and all of a URL before its host.
//
// It works on tokens, and so on files that do not parse. A quote too many
// makes a lexer take names for text and text for names; therefore lines are
// looked at besides, each for itself.
func masked(src []byte, filename string) []byte {
	out := bytes.Clone(src)
	tokens, _ := hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	for i, token := range tokens {
		switch {
		case token.Type == hclsyntax.TokenComment:
			fill(out[token.Range.Start.Byte:token.Range.End.Byte])
		case namesSecret(token), token.Type == hclsyntax.TokenIdent && beginsLine(tokens, i) && !slices.Contains(shownWords, string(token.Bytes)):
			if value := valueAfter(tokens[i+1:]); !isReference(value) {
				maskTokens(out, value)
			}
		}
	}
	for _, at := range assignment.FindAllSubmatchIndex(src, -1) {
		name, value := string(src[at[2]:at[3]]), at[4:6]
		if !slices.Contains(shownWords, name) && !referenceLine.Match(src[value[0]:value[1]]) {
			fill(out[value[0]:value[1]])
		}
	}
	for _, at := range urlUser.FindAllSubmatchIndex(src, -1) {
		fill(out[at[2]:at[3]])
	}
	return out
}

var (
	// assignment finds a line that gives a name a value.
	assignment = regexp.MustCompile(`(?m)^[\t {]*"?([^\s"={}:]+)"?[\t ]*[=:][\t ]*([^\r\n]*)`)

	// referenceLine matches a value that is a reference to a secret.
	referenceLine = regexp.MustCompile(`^(?:file|command)\([^)]*\)[\t }]*(?:#.*)?$|^env\("[A-Za-z_][A-Za-z0-9_]*"\)[\t }]*(?:#.*)?$`)

	// urlUser finds what stands before the last @ of a string with a colon.
	urlUser = regexp.MustCompile(`:((?:\\.|[^"\\\n])*)@`)
)

// shownWords are the words that may begin a line and be followed by what is
// shown: blocks, and attributes that hold no secret.
var shownWords = func() []string {
	words := []string{"job"}
	for _, schema := range []*hcl.BodySchema{jobSchema, accountsSchema, accountSchema, checkpointSchema, limitsSchema,
		demoSchema, pop3Schema, timeoutsSchema, mboxSchema, maildirSchema, deliverSchema} {
		for _, block := range schema.Blocks {
			words = append(words, block.Type)
		}
		for _, attribute := range schema.Attributes {
			if !isSecretName(attribute.Name) {
				words = append(words, attribute.Name)
			}
		}
	}
	return words
}()

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

// beginsLine tells whether a token is the first of its line or block.
func beginsLine(tokens hclsyntax.Tokens, i int) bool {
	if i == 0 {
		return true
	}
	switch tokens[i-1].Type {
	case hclsyntax.TokenNewline, hclsyntax.TokenOBrace, hclsyntax.TokenComment:
		return true
	}
	return false
}

// valueAfter returns the tokens behind a name up to the end of its value: the
// first line end behind anything but "=" that no bracket is open at.
func valueAfter(tokens hclsyntax.Tokens) hclsyntax.Tokens {
	depth, begun := 0, false
	for i, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenNewline:
			if begun && depth <= 0 {
				return tokens[:i]
			}
			continue
		case hclsyntax.TokenEqual:
			continue
		case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOBrace:
			depth++
		case hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCBrace:
			depth--
		}
		begun = true
	}
	return tokens
}

// isReference tells whether tokens are "= name(strings…)" and nothing else. A
// name of an environment variable that is none may be the password itself.
func isReference(tokens hclsyntax.Tokens) bool {
	if len(tokens) < 4 || tokens[0].Type != hclsyntax.TokenEqual ||
		tokens[1].Type != hclsyntax.TokenIdent || tokens[2].Type != hclsyntax.TokenOParen {
		return false
	}
	function := string(tokens[1].Bytes)
	_, known := references[function]
	for i, token := range tokens[3:] {
		if function == "env" && token.Type == hclsyntax.TokenQuotedLit && !envName.Match(token.Bytes) {
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
