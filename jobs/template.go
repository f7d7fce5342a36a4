package jobs

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// template is an attribute that may hold ${account.…} and ${row["…"]}.
type template struct {
	name   string // of the attribute
	text   string // as written, without the quotes
	expr   hcl.Expression
	varies bool // it refers to the account at all
	ofRow  bool // it refers to columns of the account list
	broken bool // a problem was recorded; it is recorded once, not per account
}

// accountValues are the names behind "account." in a template.
var accountValues = []string{"name", "user", "local", "domain", "server", "target"}

// template returns the attribute as a template, or nil where it is absent. What
// it refers to is checked here against the columns of the account list.
func (s *section) template(name string, list *list) *template {
	attr := s.attrs[name]
	if attr == nil {
		return nil
	}
	return s.templateOf(name, attr.Expr, list)
}

// templateOf returns an expression, the attribute or a part of it, as a template.
func (s *section) templateOf(name string, expr hcl.Expression, list *list) *template {
	t := &template{name: name, expr: expr, text: strings.Trim(string(expr.Range().SliceBytes(s.l.src)), `"`)}
	for _, ref := range expr.Variables() {
		t.varies = true
		t.ofRow = t.ofRow || ref.RootName() == "row"
		if summary, detail := checkReference(ref, list); summary != "" {
			s.l.add(ref.SourceRange(), summary, "%s", detail)
			t.broken = true
		}
	}
	if !t.broken {
		// What is wrong for every account, such as a function call, shows without one.
		if _, diags := expr.Value(anyAccount); diags.HasErrors() {
			s.l.addHCL(diags)
			t.broken = true
		}
	}
	return t
}

// anyAccount stands for an account of which nothing is known.
var anyAccount = &hcl.EvalContext{Variables: map[string]cty.Value{"account": cty.DynamicVal, "row": cty.DynamicVal}}

// checkReference returns what is wrong with a reference, or "".
func checkReference(ref hcl.Traversal, list *list) (summary, detail string) {
	var key string
	if len(ref) > 1 {
		switch step := ref[1].(type) {
		case hcl.TraverseAttr:
			key = step.Name
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String {
				key = step.Key.AsString()
			}
		}
	}
	switch root := ref.RootName(); {
	case isSecretName(key):
		return "Password in a template", "A password never becomes part of a name, a path or an address."
	case root == "account" && len(ref) == 2 && slices.Contains(accountValues, key):
		return "", ""
	case root == "account":
		return "Unknown value", "Of an account there are account." + strings.Join(accountValues, ", account.") + "."
	case root == "row" && list == nil:
		return "No account list", `row["…"] is a column of the list that accounts { csv = … } names; this job has none.`
	case root == "row" && len(ref) == 2 && list.column(key) >= 0:
		list.used[key] = true
		return "", ""
	case root == "row":
		return "Unknown column", "The account list has the columns " + strings.Join(list.shownColumns(), ", ") + "."
	default:
		return "Unknown value", `Templates know account.name, user, local, domain, server, target and row["Column"].`
	}
}

// eval evaluates the template for an account with vars, its values. On a
// problem, which it records once, it returns false.
func (t *template) eval(l *loader, r *row, vars func(*row) *hcl.EvalContext) (string, bool) {
	if t.broken {
		return "", false
	}
	if t.ofRow && r.line == 0 {
		t.broken = true
		l.add(t.expr.Range(), "No row", `The account at %s stands in no list, so row["…"] means nothing for it.`, r.where())
		return "", false
	}
	var values *hcl.EvalContext // making it takes longer than all else of an account
	if t.varies {
		values = vars(r)
	}
	value, diags := t.expr.Value(values)
	if diags.HasErrors() {
		t.broken = true
		for _, diag := range diags {
			l.add(t.expr.Range(), diag.Summary, "%s (for the account at %s)", diag.Detail, r.where())
		}
		return "", false
	}
	if value.IsNull() || value.Type() != cty.String {
		t.broken = true
		l.add(t.expr.Range(), "Wrong value", "%s is a string, such as \"${account.user}\".", t.name)
		return "", false
	}
	return value.AsString(), true
}

// variables returns the evaluation context of an account, each value passed
// through encode.
func (r *row) variables(encode func(string) string) *hcl.EvalContext {
	identity := r.user
	if !strings.Contains(identity, "@") {
		identity = r.name
	}
	local, domain := identity, ""
	if at := strings.LastIndexByte(identity, '@'); at >= 0 {
		local, domain = identity[:at], identity[at+1:]
	}
	host, _ := splitHost(r.server)
	vars := map[string]cty.Value{
		"account": cty.ObjectVal(map[string]cty.Value{
			"name":   cty.StringVal(encode(r.name)),
			"user":   cty.StringVal(encode(r.user)),
			"local":  cty.StringVal(encode(local)),
			"domain": cty.StringVal(encode(domain)),
			"server": cty.StringVal(encode(host)),
			"target": cty.StringVal(encode(r.target)),
		}),
	}
	columns := map[string]cty.Value{}
	for _, field := range r.fields {
		columns[field.Name] = cty.StringVal(encode(field.Value))
	}
	vars["row"] = cty.ObjectVal(columns)
	return &hcl.EvalContext{Variables: vars}
}
