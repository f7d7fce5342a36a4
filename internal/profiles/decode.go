package profiles

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// decode reads HCL into a struct whose fields are tagged `hcl:"name,kind"`,
// where kind is label, optional, block or nothing: a required attribute. Every
// attribute is a constant. Errors name file, line and column.
func decode(filename string, src []byte, into any) error {
	file, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return diags
	}
	return decodeBody(file.Body.(*hclsyntax.Body), reflect.ValueOf(into).Elem())
}

func decodeBody(body *hclsyntax.Body, into reflect.Value) error {
	known := map[string]bool{}
	for i := range into.NumField() {
		name, kind, _ := strings.Cut(into.Type().Field(i).Tag.Get("hcl"), ",")
		if name == "" || kind == "label" {
			continue
		}
		known[name] = true
		field := into.Field(i)
		if kind == "block" {
			if err := decodeBlocks(body, name, field); err != nil {
				return err
			}
			continue
		}
		attr := body.Attributes[name]
		if attr == nil && kind == "optional" {
			continue
		}
		if attr == nil {
			return problem(body.MissingItemRange(), "Missing "+name, "This block needs the attribute %s.", name)
		}
		if err := decodeAttribute(attr, field); err != nil {
			return err
		}
	}
	for name, attr := range body.Attributes {
		if !known[name] {
			return problem(attr.NameRange, "Unknown attribute", "Nothing is called %s here.", name)
		}
	}
	for _, block := range body.Blocks {
		if !known[block.Type] {
			return problem(block.DefRange(), "Unknown block", "No block is called %s here.", block.Type)
		}
	}
	return nil
}

// decodeBlocks fills a field that is a pointer to a struct, for at most one
// block, or a slice of structs or of pointers to them.
func decodeBlocks(body *hclsyntax.Body, name string, field reflect.Value) error {
	for _, block := range body.Blocks {
		if block.Type != name {
			continue
		}
		many := field.Kind() == reflect.Slice
		kind := field.Type()
		if many {
			kind = kind.Elem()
		} else if !field.IsNil() {
			return problem(block.DefRange(), "A second "+name+" block", "One is enough.")
		}
		structure := kind
		if kind.Kind() == reflect.Pointer {
			structure = kind.Elem()
		}
		value := reflect.New(structure)
		if err := decodeLabel(block, value.Elem()); err != nil {
			return err
		}
		if err := decodeBody(block.Body, value.Elem()); err != nil {
			return err
		}
		if kind.Kind() != reflect.Pointer {
			value = value.Elem()
		}
		if many {
			field.Set(reflect.Append(field, value))
		} else {
			field.Set(value)
		}
	}
	return nil
}

// decodeLabel takes a block's label into the field that is tagged so.
func decodeLabel(block *hclsyntax.Block, into reflect.Value) error {
	wanted := 0
	for i := range into.NumField() {
		if strings.HasSuffix(into.Type().Field(i).Tag.Get("hcl"), ",label") {
			wanted++
			if len(block.Labels) == 1 {
				into.Field(i).SetString(block.Labels[0])
			}
		}
	}
	if wanted != len(block.Labels) {
		return problem(block.DefRange(), "Wrong number of labels", "A %s block has %d.", block.Type, wanted)
	}
	return nil
}

// decodeAttribute takes a constant into a field that is a string, a number, a
// boolean or a list of strings.
func decodeAttribute(attr *hclsyntax.Attribute, field reflect.Value) error {
	value, diags := attr.Expr.Value(nil)
	if diags.HasErrors() {
		return diags
	}
	switch {
	case field.Kind() == reflect.String && value.Type() == cty.String && !value.IsNull():
		field.SetString(value.AsString())
		return nil
	case field.Kind() == reflect.Bool && value.Type() == cty.Bool && !value.IsNull():
		field.SetBool(value.True())
		return nil
	case field.Kind() == reflect.Int && value.Type() == cty.Number && !value.IsNull():
		if n, accuracy := value.AsBigFloat().Int64(); accuracy == big.Exact && n == int64(int32(n)) {
			field.SetInt(n)
			return nil
		}
	case field.Kind() == reflect.Slice && value.Type().IsTupleType():
		texts := make([]string, 0, value.LengthInt())
		for _, element := range value.AsValueSlice() {
			if element.Type() != cty.String || element.IsNull() {
				return problem(attr.Expr.Range(), "Wrong value", "%s is a list of strings.", attr.Name)
			}
			texts = append(texts, element.AsString())
		}
		field.Set(reflect.ValueOf(texts))
		return nil
	}
	form := map[reflect.Kind]string{reflect.String: "a string in quotes", reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Slice: "a list of strings"}
	return problem(attr.Expr.Range(), "Wrong value", "%s is %s.", attr.Name, form[field.Kind()])
}

func problem(at hcl.Range, summary, format string, args ...any) error {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at}}
}
