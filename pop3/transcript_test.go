package pop3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

// TestTranscripts plays testdata/*.txt. A file holds dialogues:
//
//	== transaction lockstep: what it is about
//	> stat                 a call of the client's
//	C: STAT                what must pass on the line, as pop3test.Play reads it
//	S: +OK 2 320
//	< 2 messages 320 octets    what the call must return
//
// The words before the colon say where the dialogue begins (greeting,
// authorization, transaction), and whether it is pipelined; in the middle,
// whole plays it with whole segments only. Each is else played with segments
// of several lengths, and must come out the same.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("transcripts: %d, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			parts := strings.Split("\n"+string(text), "\n== ")
			for _, part := range parts[1:] {
				title, body, _ := strings.Cut(part, "\n")
				begin, name, ok := strings.Cut(title, ": ")
				if !ok {
					t.Fatalf("no title: %q", title)
				}
				t.Run(strings.TrimSpace(name), func(t *testing.T) { playDialogue(t, strings.Fields(begin), body) })
			}
		})
	}
}

// preludes lead to where a dialogue begins.
var preludes = map[string]struct {
	calls  []string
	script string
}{
	"greeting":      {nil, ""},
	"authorization": {[]string{"greeting"}, "S: +OK ready\n"},
	"transaction":   {[]string{"greeting", "login alice sesame"}, "S: +OK ready\nC: USER alice\nS: +OK\nC: PASS sesame\nS: +OK\n"},
}

func playDialogue(t *testing.T, words []string, body string) {
	prelude, known := preludes[words[0]]
	if !known {
		t.Fatalf("begins nowhere: %q", words[0])
	}
	options := &pop3.Options{Pipelining: pop3.PipelineOff}
	segments := []int{0, 1, 2, 7}
	for _, word := range words[1:] {
		switch word {
		case "lockstep":
		case "pipelined":
			options.Pipelining = pop3.PipelineOn
		case "auto":
			options.Pipelining = pop3.PipelineAuto
		case "initial":
			options.InitialLine = 127
		case "long":
			options.LongLines = true
		case "whole":
			segments = segments[:1]
		default:
			t.Fatalf("cannot read %q", word)
		}
	}
	var calls, want []string
	script := prelude.script
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		if call, ok := strings.CutPrefix(line, "> "); ok {
			calls = append(calls, call)
		} else if result, ok := strings.CutPrefix(line, "< "); ok {
			want = append(want, repetition.ReplaceAllStringFunc(result, repeat))
		} else {
			script += line + "\n"
		}
	}
	if len(calls) == 0 {
		t.Fatal("no call")
	}
	for _, pieces := range segments {
		peer := pop3test.Play(script).InPieces(pieces)
		client := pop3.NewClient(peer, options)
		for _, call := range prelude.calls {
			if said := say(t, client, call); strings.Contains(said, "broken") {
				t.Fatalf("%s: %s", call, said)
			}
		}
		var got []string
		for _, call := range calls {
			got = append(got, strings.Split(say(t, client, call), "\n")...)
		}
		client.Close()
		if err := peer.Err(); err != nil {
			t.Errorf("segments of %d: %v", pieces, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("segments of %d:\n got %s\nwant %s", pieces, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

// repetition is how a result says that an octet comes many times: {x*390}.
var repetition = regexp.MustCompile(`\{.\*\d+\}`)

func repeat(s string) string {
	n, _ := strconv.Atoi(s[3 : len(s)-1])
	return strings.Repeat(s[1:2], n)
}

// say makes a call and tells what came of it, "(broken)" where the connection
// is now broken.
func say(t *testing.T, c *pop3.Client, call string) string {
	t.Helper()
	verb, args := parseCall(t, call)
	said, err := verbs[verb](c, t.Context(), args)
	var lines []string
	if said != "" {
		lines = append(lines, said)
	}
	if err != nil {
		lines = append(lines, err.Error())
	}
	if len(lines) == 0 {
		lines = []string{"ok"}
	}
	if c.Broken() != nil {
		lines[len(lines)-1] += " (broken)"
	}
	return strings.Join(lines, "\n")
}

// parseCall splits a call into its words; one in quotes is a Go string.
func parseCall(t *testing.T, call string) (verb string, args []string) {
	t.Helper()
	verb, rest, _ := strings.Cut(call, " ")
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		word, after, _ := strings.Cut(rest, " ")
		if rest[0] == '"' {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("call %q: %v", call, err)
			}
			word, _ = strconv.Unquote(quoted)
			after = rest[len(quoted):]
			if times, ok := strings.CutPrefix(after, "*"); ok {
				count, more, _ := strings.Cut(times, " ")
				n, _ := strconv.Atoi(count)
				word, after = strings.Repeat(word, n), more
			}
		}
		args, rest = append(args, word), after
	}
	if verbs[verb] == nil {
		t.Fatalf("call %q: no such verb", call)
	}
	return verb, args
}

type verb func(c *pop3.Client, ctx context.Context, args []string) (string, error)

var verbs = map[string]verb{
	"greeting": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) {
		text, err := c.Greeting(ctx)
		if err != nil {
			return "", err
		}
		return strconv.Quote(text), nil
	},
	"timestamp": func(c *pop3.Client, _ context.Context, _ []string) (string, error) {
		return "timestamp " + c.Timestamp(), nil
	},
	"capa": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) {
		caps, err := c.Capabilities(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%q pipelined=%v", caps.Lines, c.Pipelined()), nil
	},
	"has": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		caps, err := c.Capabilities(ctx)
		return fmt.Sprint(caps.Has(args[0]), caps.HasArg(args[0], args[1]), caps.Args(args[0])), err
	},
	"utf8": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) { return "", c.UTF8(ctx) },
	"stls": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) { return "", c.StartTLS(ctx, nil) },
	"login": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		return "", c.Login(ctx, args[0], args[1])
	},
	"apop": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		return "", c.APOP(ctx, args[0], args[1])
	},
	"plain": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		return "", c.Authenticate(ctx, sasl.NewPlainClient("", args[0], args[1]))
	},
	"auth-login": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		return "", c.Authenticate(ctx, &loginMechanism{args})
	},
	"demanding": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		return "", c.Authenticate(ctx, &demanding{said: args[0], problem: args[1]})
	},
	"external": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		return "", c.Authenticate(ctx, sasl.NewExternalClient(args[0]))
	},
	"stat": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) {
		drop, err := c.Stat(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d messages %d octets", drop.Messages, drop.Octets), nil
	},
	"list": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) {
		rows, err := c.List(ctx)
		if err != nil {
			return shownIfAny(len(rows)), err
		}
		return fmt.Sprint(rows), nil
	},
	"uidl": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) {
		rows, err := c.UIDL(ctx)
		if err != nil {
			return shownIfAny(len(rows)), err
		}
		return showUniqueIDs(rows), nil
	},
	"listings": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) {
		all, err := c.Listings(ctx)
		if err != nil {
			return "", err
		}
		said := fmt.Sprint(showUniqueIDs(all.UniqueIDs), " ", all.Scan, " ", all.Drop)
		for _, refused := range []*pop3.ReplyError{all.UIDLError, all.StatError} {
			if refused != nil {
				said += "\n" + refused.Error()
			}
		}
		return said, nil
	},
	"retr": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		return showMessages(c.Retrieve(ctx, numbers(args)))
	},
	"top": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		lines, _ := strconv.Atoi(args[0])
		return showMessages(c.Top(ctx, numbers(args[1:]), lines))
	},
	"dele": func(c *pop3.Client, ctx context.Context, args []string) (string, error) {
		var said []string
		for m, err := range c.Dele(ctx, numbers(args)) {
			if err != nil {
				said = append(said, fmt.Sprintf("%d %v", m.Number, err))
				continue
			}
			said = append(said, fmt.Sprintf("%d marked %q", m.Number, m.Text))
		}
		return strings.Join(said, "\n"), nil
	},
	"cautious": func(c *pop3.Client, _ context.Context, _ []string) (string, error) { c.Cautious(); return "", nil },
	"noop":     func(c *pop3.Client, ctx context.Context, _ []string) (string, error) { return "", c.Noop(ctx) },
	"rset":     func(c *pop3.Client, ctx context.Context, _ []string) (string, error) { return "", c.Reset(ctx) },
	"quit": func(c *pop3.Client, ctx context.Context, _ []string) (string, error) {
		said, err := c.Quit(ctx)
		return strconv.Quote(said), err
	},
}

func shownIfAny(rows int) string {
	if rows > 0 {
		return "rows of a failed listing"
	}
	return ""
}

func showUniqueIDs(rows []pop3.UniqueIDListing) string {
	shown := make([]string, len(rows))
	for i, row := range rows {
		shown[i] = fmt.Sprintf("%d:%q", row.Number, row.UniqueID)
	}
	return fmt.Sprint(shown)
}

func showMessages(messages iter.Seq2[*pop3.Message, error]) (string, error) {
	var said []string
	for m, err := range messages {
		number := pop3.Number(0)
		if m != nil {
			number = m.Number
		}
		if err != nil {
			said = append(said, fmt.Sprintf("%d %v", number, err))
			continue
		}
		var body bytes.Buffer
		if _, err := io.Copy(&body, m); err != nil {
			said = append(said, fmt.Sprintf("%d cut: %v", number, err))
			continue
		}
		said = append(said, fmt.Sprintf("%d announced %d: %q", number, m.Announced, body.String()))
	}
	return strings.Join(said, "\n"), nil
}

func numbers(args []string) iter.Seq[pop3.Number] {
	return func(yield func(pop3.Number) bool) {
		for _, arg := range args {
			n, err := strconv.Atoi(arg)
			if err != nil {
				panic(err)
			}
			if !yield(pop3.Number(n)) {
				return
			}
		}
	}
}

// loginMechanism answers one challenge after the other: AUTH LOGIN.
type loginMechanism struct{ answers []string }

func (*loginMechanism) Start() (string, []byte, error) { return "LOGIN", nil, nil }

func (m *loginMechanism) Next([]byte) ([]byte, error) {
	if len(m.answers) == 0 {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	answer := m.answers[0]
	m.answers = m.answers[1:]
	return []byte(answer), nil
}

// demanding is a pop3.Mechanism that says what it is told to.
type demanding struct{ said, problem string }

func (*demanding) Start() (string, []byte, error) { return "DEMANDING", nil, nil }
func (*demanding) Next([]byte) ([]byte, error)    { return []byte("answer"), nil }
func (*demanding) Secrets() []string              { return []string{"opensesame"} }
func (m *demanding) Said() string                 { return m.said }

func (m *demanding) Verify() error {
	if m.problem == "" {
		return nil
	}
	return errors.New(m.problem)
}
