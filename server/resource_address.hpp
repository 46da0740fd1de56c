// The addresses of what this server keeps: evidence://<id>, evidence://<id>?page=N, runbook://<id>,
// plan://<id>. One spelling each: anything else, however it is escaped, is the address of nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::server {

inline constexpr std::string_view evidence_template = "evidence://{id}";
inline constexpr std::string_view runbook_template = "runbook://{id}";
inline constexpr std::string_view plan_template = "plan://{id}";

enum class ResourceKind { evidence, runbook, plan };

struct ResourceAddress {
    ResourceKind kind = ResourceKind::evidence;
    std::string id;
    std::size_t page = 1; // evidence only
};

std::optional<ResourceAddress> parse_address(std::string_view uri);
std::string address_of(ResourceKind kind, std::string_view id, std::size_t page = 1);

} // namespace interlock::server
