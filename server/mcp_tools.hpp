// Tools as MCP shows them: the only place where a tools::Tool becomes protocol JSON. tools/list is
// rendered once, at start, and answered from ready bytes.
#pragma once

#include "base/result.hpp"
#include "server/era.hpp"
#include "tools/tool.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

/// The tools this server offers, in the order of tools/list.
class ToolBox {
public:
    explicit ToolBox(std::vector<tools::Tool> tools);
    /// nullptr for an unknown name.
    const tools::Tool* find(std::string_view name) const;
    const std::vector<tools::Tool>& tools() const { return tools_; }
    /// The result of tools/list, as JSON text.
    const std::string& list_result(Era era) const;

private:
    std::vector<tools::Tool> tools_;
    std::string legacy_list_;
    std::string modern_list_;
};

/// Keeps the tools whose domain is in `toolsets` (empty: all). invalid_input names an unknown one.
base::Result<std::vector<tools::Tool>>
choose_toolsets(std::vector<tools::Tool> all, const std::vector<std::string>& toolsets);

/// The result of initialize, as JSON text.
std::string initialize_result(std::string_view version);
/// The result of server/discover, as JSON text.
std::string discover_result();
/// The result of tools/call, as JSON text.
std::string call_result(const tools::Output& output, Era era);

} // namespace interlock::server
