// find_tools over any set of tools. tools/catalog.cpp lists it over the tools of this room; the
// server, which knows more, over all that a caller may use.
#pragma once

#include "tools/tool.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

/// A tool that an intent's words point to.
struct FoundTool {
    const Tool* tool = nullptr;
    int score = 0;
    std::string why; // which words, and where the tool says them
};

/// The same words find the same tools, best first, at most limits::tools_found_max.
std::vector<FoundTool> match_tools(const std::vector<Tool>& tools, std::string_view intent);

/// The tool find_tools, searching in `tools`. Of `others`, which its caller could use but did not
/// choose, it names what it finds, and how to get it.
Tool find_tools_among(
    std::shared_ptr<const std::vector<Tool>> tools,
    std::shared_ptr<const std::vector<Tool>> others = nullptr
);

} // namespace interlock::tools
