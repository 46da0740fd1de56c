// The tools of this room, one file each. A tool exists for callers once it is listed in
// tools/catalog.cpp.
#pragma once

#include "tools/tool.hpp"

namespace interlock::tools {

Tool list_targets();    // tools/list_targets.cpp
Tool find_tools();      // tools/find_tools.cpp
Tool describe_schema(); // tools/describe_schema.cpp
Tool diagnose();        // tools/diagnose.cpp
Tool get_activity();    // tools/postgres/activity.cpp
Tool get_blocking();    // tools/postgres/blocking.cpp
Tool get_statements();  // tools/postgres/statements.cpp
Tool explain_query();   // tools/postgres/explain_query.cpp
Tool get_tables();      // tools/postgres/tables.cpp
Tool get_indexes();     // tools/postgres/indexes.cpp
Tool get_vacuum();      // tools/postgres/vacuum.cpp
Tool get_replication(); // tools/postgres/replication.cpp
Tool get_connections(); // tools/postgres/connections.cpp
Tool get_io();          // tools/postgres/io.cpp
Tool get_settings();    // tools/postgres/settings.cpp
Tool read_logs();       // tools/postgres/read_logs.cpp
Tool run_query();       // tools/postgres/run_query.cpp

/// The declaration of `target`, the same for every tool.
Input target_input();

} // namespace interlock::tools
