package keymaterial

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestMaterialRedactsInFmt(t *testing.T) {
	raw := counting(160, 32)
	m := newMaterial(raw)
	type exported struct{ Material Material }
	type hidden struct {
		name     string
		material Material
	}
	values := map[string]any{
		"value":              m,
		"pointer":            &m,
		"slice":              []Material{m},
		"slice of pointers":  []*Material{&m},
		"map":                map[string]Material{"key": m},
		"struct":             exported{m},
		"pointer to struct":  &exported{m},
		"unexported field":   hidden{"payments", m},
		"pointer to such":    &hidden{"payments", m},
		"slice of such":      []hidden{{"payments", m}},
		"interface in array": [1]any{hidden{"payments", m}},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d", "%c", "%b", "%o", "%U", "% x", "%#x"} {
			t.Run(name+" "+verb, func(t *testing.T) {
				assertNoTrace(t, fmt.Sprintf(verb, value), raw)
			})
		}
	}
	if got := fmt.Sprintf("%v|%x|%#v|%s", m, m, &m, []Material{m}); got != "[redacted]|[redacted]|[redacted]|[[redacted]]" {
		t.Errorf("prints %s", got)
	}
}

func TestMaterialRedactsInEncodersAndLogs(t *testing.T) {
	raw := counting(160, 32)
	m := newMaterial(raw)
	holder := struct {
		Material Material
		Pointer  *Material
		Map      map[string]Material
	}{m, &m, map[string]Material{"key": m}}

	asJSON, err := json.Marshal(holder)
	want := `{"Material":"[redacted]","Pointer":"[redacted]","Map":{"key":"[redacted]"}}`
	if err != nil || string(asJSON) != want {
		t.Errorf("JSON %s, error %v, want %s", asJSON, err, want)
	}
	asText, err := m.MarshalText()
	if err != nil || string(asText) != "[redacted]" {
		t.Errorf("text %s, error %v", asText, err)
	}
	var stream bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&stream, nil), slog.NewJSONHandler(&stream, nil)} {
		slog.New(handler).Info("import", "material", m, "pointer", &m, "holder", holder, "group", slog.GroupValue(slog.Any("m", m)))
	}
	assertNoTrace(t, stream.String(), raw)
}

func TestMaterialStringers(t *testing.T) {
	m := newMaterial(counting(160, 32))
	if m.String() != "[redacted]" || m.GoString() != "[redacted]" || m.LogValue().String() != "[redacted]" {
		t.Errorf("String %q, GoString %q, LogValue %q", m.String(), m.GoString(), m.LogValue())
	}
}

func assertNoTrace(t *testing.T, output string, raw []byte) {
	t.Helper()
	if spelling := trace(output, raw); spelling != "" {
		t.Fatalf("the output holds bytes of the secret, as %s: %s", spelling, output)
	}
}

// trace looks for short runs of a secret's bytes, in each of the ways a printer might spell them, and names the way.
func trace(output string, raw []byte) string {
	lower := strings.ToLower(output)
	for i := 0; i+4 <= len(raw); i++ {
		run := raw[i : i+4]
		for name, spelling := range map[string]string{
			"raw bytes":        string(run),
			"a quoted string":  strings.Trim(fmt.Sprintf("%+q", run), `"`),
			"hex":              hex.EncodeToString(run),
			"spaced hex":       fmt.Sprintf("% x", run),
			"a Go hex literal": fmt.Sprintf("0x%x, 0x%x", run[0], run[1]),
			"a decimal list":   fmt.Sprintf("%d %d %d", run[0], run[1], run[2]),
			"a JSON list":      fmt.Sprintf("%d,%d,%d", run[0], run[1], run[2]),
			"binary":           fmt.Sprintf("%b %b", run[0], run[1]),
			"octal":            fmt.Sprintf("%o %o", run[0], run[1]),
			"code points":      strings.ToLower(fmt.Sprintf("%U %U", run[0], run[1])),
			"base64":           strings.ToLower(base64.StdEncoding.EncodeToString(raw[i/3*3 : i/3*3+3])),
		} {
			if strings.Contains(output, spelling) || strings.Contains(lower, spelling) {
				return name
			}
		}
	}
	return ""
}

// The search must be able to find what it looks for.
func TestTraceFindsPlantedSecrets(t *testing.T) {
	raw := counting(160, 32)
	type careless struct{ bytes []byte }
	asJSON, _ := json.Marshal([]int{160, 161, 162, 163})
	for _, planted := range []string{
		string(raw), fmt.Sprintf("%v", careless{raw}), fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw),
		fmt.Sprintf("%#v", careless{raw}), fmt.Sprintf("%q", raw), base64.StdEncoding.EncodeToString(raw),
		fmt.Sprintf("% x", raw), fmt.Sprintf("%b", raw), fmt.Sprintf("%o", raw), fmt.Sprintf("%U", raw), string(asJSON),
	} {
		if trace(planted, raw) == "" {
			t.Errorf("missed in %q", planted)
		}
	}
}
