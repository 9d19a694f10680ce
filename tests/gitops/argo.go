package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

// scriptTime is how long Argo CD lets a script run.
const scriptTime = time.Second

// healthCodes are the answers that Argo CD takes; any other counts as Unknown.
var healthCodes = map[string]bool{
	"Healthy": true, "Progressing": true, "Degraded": true, "Suspended": true, "Missing": true, "Unknown": true,
}

// argoHealth runs health.lua. Where the script is missing Argo CD has no opinion.
func argoHealth(object *unstructured.Unstructured, directory string) (Verdict, error) {
	script, err := scriptOf(object, directory, "health.lua")
	if os.IsNotExist(err) {
		return Verdict{Status: "None"}, nil
	} else if err != nil {
		return Verdict{}, err
	}
	answer, err := evaluate(script, object)
	if err != nil {
		return Verdict{}, err
	}
	var verdict Verdict
	if err := json.Unmarshal(answer, &verdict); err != nil {
		return Verdict{}, fmt.Errorf("not a table with status and message: %s", answer)
	}
	if !healthCodes[verdict.Status] {
		return Verdict{}, fmt.Errorf("not a health status: %q", verdict.Status)
	}
	return verdict, nil
}

// Action is one that Argo CD offers.
type Action struct {
	Name     string `json:"name"`
	Disabled bool   `json:"disabled"`
}

func offeredActions(object *unstructured.Unstructured, directory string) ([]Action, error) {
	script, err := scriptOf(object, directory, "actions", "discovery.lua")
	if err != nil {
		return nil, err
	}
	answer, err := evaluate(script, object)
	if err != nil {
		return nil, err
	}
	var offered map[string]Action
	if err := json.Unmarshal(answer, &offered); err != nil {
		return nil, fmt.Errorf("not a table of actions: %s", answer)
	}
	actions := make([]Action, 0, len(offered))
	for name, action := range offered {
		if _, err := scriptOf(object, directory, "actions", name, "action.lua"); err != nil {
			return nil, err
		}
		action.Name = name
		actions = append(actions, action)
	}
	sort.Slice(actions, func(i, j int) bool { return actions[i].Name < actions[j].Name })
	return actions, nil
}

// actionPatch is the difference that an action makes, as Argo CD sends it: a JSON merge patch.
func actionPatch(object *unstructured.Unstructured, directory, action string) ([]byte, error) {
	script, err := scriptOf(object, directory, "actions", action, "action.lua")
	if err != nil {
		return nil, err
	}
	answer, err := evaluate(script, object)
	if err != nil {
		return nil, err
	}
	var changed map[string]any
	if err := json.Unmarshal(answer, &changed); err != nil {
		return nil, fmt.Errorf("not an object: %s", answer)
	}
	before, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(withoutEmptyLists(changed, object.Object))
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}

// withoutEmptyLists puts back what an empty table stood for: Lua has one kind of it, which comes back as a list. Argo CD
// does so too, with the consequence that an action cannot take away the last entry of a map.
func withoutEmptyLists(changed, before any) any {
	switch value := changed.(type) {
	case map[string]any:
		known, _ := before.(map[string]any)
		for key, entry := range value {
			value[key] = withoutEmptyLists(entry, known[key])
		}
	case []any:
		if known, isMap := before.(map[string]any); isMap && len(value) == 0 {
			return known
		}
		known, _ := before.([]any)
		for place, entry := range value {
			if place < len(known) {
				value[place] = withoutEmptyLists(entry, known[place])
			}
		}
	}
	return changed
}

func scriptOf(object *unstructured.Unstructured, directory string, path ...string) (string, error) {
	kind := object.GroupVersionKind()
	parts := append([]string{directory, kind.Group, kind.Kind}, path...)
	text, err := os.ReadFile(filepath.Join(parts...))
	return string(text), err
}

// evaluate runs a script on the global `obj` with what Argo CD gives to one of argocd-cm: the libraries base, package
// and table, and of os only date and time. There is no string library.
func evaluate(script string, object *unstructured.Unstructured) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
		lua.OsLibName:   lua.OpenOs,
	} {
		call := lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	safe := state.NewTable()
	for _, name := range []string{"date", "time"} {
		safe.RawSetString(name, state.GetField(state.GetGlobal(lua.OsLibName), name))
	}
	state.SetGlobal(lua.OsLibName, safe)
	// The modules of base and package that reach files are not for a script, either.
	for _, name := range []string{"dofile", "loadfile"} {
		state.SetGlobal(name, lua.LNil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptTime)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", valueOf(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return nil, fmt.Errorf("the script returns a %s, not a table", returned.Type())
	}
	return luajson.Encode(returned)
}

func valueOf(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		list := state.NewTable()
		for _, entry := range value {
			list.Append(valueOf(state, entry))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, entry := range value {
			table.RawSetString(key, valueOf(state, entry))
		}
		return table
	}
	return lua.LNil
}
