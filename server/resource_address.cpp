#include "server/resource_address.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace interlock::server {
namespace {

constexpr std::array<std::pair<std::string_view, ResourceKind>, 3> schemes{
    {{"evidence://", ResourceKind::evidence},
     {"runbook://", ResourceKind::runbook},
     {"plan://", ResourceKind::plan}}};
constexpr std::string_view page_mark = "?page=";
constexpr std::size_t id_chars_max = 64;
constexpr std::size_t page_digits_max = 6;

bool is_plain(std::string_view id) {
    return !id.empty() && id.size() <= id_chars_max &&
           id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

/// A number from 1 in its one spelling.
std::optional<std::size_t> page_number(std::string_view text) {
    std::size_t page = 0;
    const char* const end = text.data() + text.size();
    if (text.empty() || text.size() > page_digits_max || text.front() == '0' ||
        std::from_chars(text.data(), end, page).ptr != end) {
        return std::nullopt;
    }
    return page;
}

} // namespace

std::optional<ResourceAddress> parse_address(std::string_view uri) {
    for (const auto& [scheme, kind] : schemes) {
        if (!uri.starts_with(scheme)) {
            continue;
        }
        ResourceAddress address;
        address.kind = kind;
        std::string_view rest = uri.substr(scheme.size());
        const std::size_t mark = rest.find(page_mark);
        if (kind == ResourceKind::evidence && mark != std::string_view::npos) {
            const auto page = page_number(rest.substr(mark + page_mark.size()));
            if (!page) {
                return std::nullopt;
            }
            address.page = *page;
            rest = rest.substr(0, mark);
        }
        if (!is_plain(rest)) {
            return std::nullopt;
        }
        address.id = rest;
        return address;
    }
    return std::nullopt;
}

std::string address_of(ResourceKind kind, std::string_view id, std::size_t page) {
    std::string uri;
    for (const auto& [scheme, its_kind] : schemes) {
        if (its_kind == kind) {
            uri = scheme;
        }
    }
    uri += id;
    return page > 1 ? uri + std::string(page_mark) + std::to_string(page) : uri;
}

} // namespace interlock::server
