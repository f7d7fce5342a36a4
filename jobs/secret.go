package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// secret is a password or a reference to one. Its value stands in no field, so
// that no way of printing a job can show it.
type secret struct {
	ref string // what people are shown: (set), or the reference as it is written
	get func(ctx context.Context) (string, error)
}

// String returns the reference.
func (s *secret) String() string { return s.ref }

// literal returns the secret that stands in the job file or account list itself.
func literal(value string) *secret {
	return &secret{"(set)", func(context.Context) (string, error) { return value, nil }}
}

// reference returns a secret that is evaluated when it is first needed, once
// in a run whatever comes of it, unless the context ended first.
func reference(ref string, evaluate func(ctx context.Context) (string, error)) *secret {
	var (
		turn  = make(chan struct{}, 1)
		done  bool
		value string
		cause error
	)
	return &secret{ref, func(ctx context.Context) (string, error) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if done {
			return value, cause
		}
		v, err := evaluate(ctx)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err == nil {
			err = checkSecret(v)
		}
		done = true
		if err != nil {
			cause = fmt.Errorf("read secret %s: %w", ref, err)
		} else {
			value = v
		}
		return value, cause
	}}
}

// checkSecret refuses what cannot be a password on the wire.
func checkSecret(value string) error {
	switch {
	case value == "":
		return errors.New("it is empty")
	case strings.ContainsAny(value, "\r\n\x00"):
		return errors.New("it contains a line end or NUL")
	}
	return nil
}

// references are the functions that refer to secrets, with the smallest and
// largest number of arguments.
var references = map[string]struct{ least, most int }{
	"env":     {1, 1},
	"file":    {1, 1},
	"command": {1, 64},
}

// secret returns the attribute's secret, or nil where it is absent or wrong.
func (s *section) secret(name string) *secret {
	attr := s.attrs[name]
	if attr == nil {
		return nil
	}
	if call, diags := hcl.ExprCall(attr.Expr); !diags.HasErrors() {
		return s.l.call(call, attr.Expr.Range())
	}
	value, diags := attr.Expr.Value(nil)
	if diags.HasErrors() || value.IsNull() || value.Type() != cty.String {
		s.l.add(attr.Expr.Range(), "Wrong secret", `%s is env("NAME"), file("path"), command("program", "argument"…) or a string without ${…}.`, name)
		return nil
	}
	if err := checkSecret(value.AsString()); err != nil {
		s.l.add(attr.Expr.Range(), "Wrong secret", "%s cannot be used: %v.", name, err)
		return nil
	}
	if s.l.literalAt == nil {
		s.l.literalAt = attr.Expr.Range().Ptr()
	}
	return literal(value.AsString())
}

// call returns the secret that a function call refers to.
func (l *loader) call(call *hcl.StaticCall, at hcl.Range) *secret {
	arity, ok := references[call.Name]
	if !ok {
		l.add(call.NameRange, "Unknown function", "A secret comes from env, file or command.")
		return nil
	}
	if n := len(call.Arguments); n < arity.least || n > arity.most {
		l.add(at, "Wrong arguments", "%s takes %s.", call.Name,
			map[string]string{"env": "the name of one environment variable", "file": "one path", "command": "a program and its arguments, each a string"}[call.Name])
		return nil
	}
	args := make([]string, len(call.Arguments))
	for i, expr := range call.Arguments {
		value, diags := expr.Value(nil)
		if diags.HasErrors() || value.IsNull() || value.Type() != cty.String || value.AsString() == "" || hasControl(value.AsString()) {
			l.add(expr.Range(), "Wrong arguments", "Each argument of %s is a plain string that is not empty.", call.Name)
			return nil
		}
		args[i] = value.AsString()
	}
	var (
		s   *secret
		err error
	)
	switch call.Name {
	case "env":
		s, err = l.envSecret(args[0])
	case "file":
		s, err = l.fileSecret(args[0])
	case "command":
		s = l.commandSecret(args)
	}
	if err != nil {
		l.add(at, "Missing secret", "%s", sentence(err))
		return nil
	}
	return s
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envSecret refers to an environment variable, which must be set by now. A
// name that is none is not repeated: it may be a password in the wrong place.
func (l *loader) envSecret(name string) (*secret, error) {
	if !envName.MatchString(name) {
		return nil, errors.New("what stands here is not the name of an environment variable")
	}
	if l.prompts[name] != nil {
		return reference("env("+strconv.Quote(name)+")", l.prompts[name]), nil
	}
	if !l.env.NoSecrets && l.env.Getenv(name) == "" {
		return nil, fmt.Errorf("the environment variable %s is not set", name)
	}
	get := l.env.Getenv
	return reference("env("+strconv.Quote(name)+")", func(context.Context) (string, error) { return get(name), nil }), nil
}

// fileSecret refers to a file, which must exist by now.
func (l *loader) fileSecret(path string) (*secret, error) {
	ref := "file(" + strconv.Quote(path) + ")"
	full, err := l.secretFile(ref, path)
	if err != nil {
		return nil, err
	}
	read := l.env.ReadFile
	return reference(ref, func(context.Context) (string, error) {
		data, err := read(full)
		return dropLineEnd(data), err
	}), nil
}

// secretFile returns the full path of a file that holds a secret and must
// exist by now; what names it in messages.
func (l *loader) secretFile(what, path string) (string, error) {
	full := l.resolve(path)
	if l.env.NoSecrets {
		return full, nil
	}
	info, err := l.env.Stat(full)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", what, err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a directory", what)
	}
	if readableByOthers(info) {
		l.warn("%s can be read by others; mend it with: chmod 600 %s", what, shellWord(full))
	}
	return full, nil
}

// commandSecret refers to what a program prints. No shell is involved.
func (l *loader) commandSecret(argv []string) *secret {
	quoted := make([]string, len(argv))
	for i, arg := range argv {
		quoted[i] = strconv.Quote(arg)
	}
	run := l.env.Command
	return reference("command("+strings.Join(quoted, ", ")+")", func(ctx context.Context) (string, error) {
		data, err := run(ctx, argv)
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			err = errors.New(exit.ProcessState.String()) // never what the program printed
		}
		return dropLineEnd(data), err
	})
}

// dropLineEnd drops one final line end, which editors and echo append.
func dropLineEnd(data []byte) string {
	if short, ok := bytes.CutSuffix(data, []byte("\r\n")); ok {
		return string(short)
	}
	return string(bytes.TrimSuffix(data, []byte("\n")))
}

// resolve returns a path of the job file as the program has to open it.
func (l *loader) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.dir, filepath.FromSlash(path))
}
