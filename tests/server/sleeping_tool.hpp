// A tool whose one statement lasts long enough to be stopped.
#pragma once

#include "server/offered_tools.hpp"
#include "tools/lane.hpp"
#include "tools/schema.hpp"
#include "tools/tool.hpp"

namespace interlock::test {

/// `sleeps`: 25 s in one statement on the target `shop`.
inline server::OfferedTool sleeping_tool(tools::Context& room) {
    const auto run = [](tools::Context& context,
                        const tools::Call& call) -> base::Result<tools::Output> {
        db::Query query;
        query.sql = {"sleep", "select pg_catalog.pg_sleep(25)"};
        INTERLOCK_TRY(
            const auto read,
            tools::read_lane(
                context,
                call,
                {.target = "shop", .tool = "sleeps", .statement_timeout = std::chrono::seconds(30)},
                {query}
            )
        );
        const auto& rows = read.results.front();
        if (!rows) {
            return rows.error();
        }
        return tools::Output{R"({"text":"slept"})", "slept", false};
    };
    return server::offered_tool(
        room,
        tools::Tool{
            .name = "sleeps",
            .title = "Sleeps",
            .summary = "Sleeps.",
            .domain = "postgres",
            .output_schema =
                [] { return tools::output_schema_of(R"({"text":{"type":"string"}})", {"text"}); },
            .run = run}
    );
}

} // namespace interlock::test
