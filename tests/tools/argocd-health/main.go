// Prints the name and Argo CD's health of each object of a Kubernetes List on standard input, by the Lua script that the first
// argument names, run by the interpreter that Argo CD uses.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
)

func main() {
	script, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	var list struct{ Items []map[string]any }
	if err := json.NewDecoder(os.Stdin).Decode(&list); err != nil {
		fail(err)
	}
	for _, object := range list.Items {
		// As Argo CD does: a new state for each object, with the safe libraries alone.
		state := lua.NewState(lua.Options{SkipOpenLibs: true})
		for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString} {
			state.Push(state.NewFunction(open))
			state.Call(0, 0)
		}
		state.SetGlobal("obj", value(state, object))
		if err := state.DoString(string(script)); err != nil {
			fail(err)
		}
		health, ok := state.Get(-1).(*lua.LTable)
		if !ok {
			fail(fmt.Errorf("the script returned no table"))
		}
		name := object["metadata"].(map[string]any)["name"]
		fmt.Println(name, health.RawGetString("status"), health.RawGetString("message") != lua.LNil)
		state.Close()
	}
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range from {
			table.Append(value(state, item))
		}
		return table
	case string:
		return lua.LString(from)
	case float64:
		return lua.LNumber(from)
	case bool:
		return lua.LBool(from)
	default:
		return lua.LNil
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
