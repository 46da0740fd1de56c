#include "base/db/conninfo.hpp"

#include "base/db/conninfo_options.hpp"
#include "base/db/conninfo_rules.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;

/// What does not parse says nothing: it is refused where it comes in.
ConninfoOptions said_by(const TargetAddress& address) {
    return ConninfoOptions::parse(address.conninfo).value_or(ConninfoOptions{});
}

bool is_target_name(std::string_view name) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty() || name.size() > 63 || !plain(name.front())) {
        return false;
    }
    for (const char c : name) {
        if (!plain(c) && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

constexpr std::string_view name_rule =
    "a target's name is 1 to 63 of a-z, 0-9, _ and -, and starts with a letter or digit";

std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> parts;
    for (;;) {
        const auto end = list.find(',');
        parts.emplace_back(list.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        list.remove_prefix(end + 1);
    }
}

} // namespace

base::Result<std::vector<ServerAddress>> servers_of(const TargetAddress& address) {
    const auto options = said_by(address);
    const auto listed = [&](std::string_view keyword) {
        const auto value = options.value(keyword);
        return value.empty() ? std::vector<std::string>{} : split(value);
    };
    const auto hosts = listed("host");
    const auto addresses = listed("hostaddr");
    const auto ports = listed("port");
    const std::size_t count = std::max({hosts.size(), addresses.size(), std::size_t{1}});
    const auto fits = [&](const std::vector<std::string>& list) {
        return list.empty() || list.size() == count;
    };
    if (!fits(hosts) || !fits(addresses) || !(fits(ports) || ports.size() == 1)) {
        return Error{
            Errc::invalid_input,
            "names " + std::to_string(count) +
                " servers and another number of hosts, addresses or "
                "ports",
            "Give one port for all servers, or a port and an address for each."};
    }
    if (count > base::limits::target_servers_max) {
        return Error{
            Errc::invalid_input,
            "names more than " + std::to_string(base::limits::target_servers_max) + " servers",
            "Make several targets of them."};
    }
    std::vector<ServerAddress> servers;
    for (std::size_t i = 0; i < count; ++i) {
        ServerAddress server;
        server.host = hosts.empty() ? "" : hosts[i];
        server.hostaddr = addresses.empty() ? "" : addresses[i];
        server.port = ports.empty() ? "" : ports[ports.size() == 1 ? 0 : i];
        if (count > 1 && server.host.empty() && server.hostaddr.empty()) {
            return Error{
                Errc::invalid_input, "names a server without a host", "Name a host for each."};
        }
        if (ports.size() > 1 && server.port.empty()) {
            server.port = "5432"; // an empty one would take that of all
        }
        const auto& shown = server.host.empty() ? server.hostaddr : server.host;
        server.name = shown + (shown.empty() || server.port.empty() ? "" : ":" + server.port);
        servers.push_back(std::move(server));
    }
    return servers;
}

const char* name(Role role) {
    return role == Role::primary ? "primary" : role == Role::standby ? "standby" : "any";
}

Choice choice_of(const TargetAddress& address, Looks looks) {
    const auto rule = said_by(address).value("target_session_attrs");
    if (rule == "primary" || rule == "read-write") {
        return {Role::primary, /*strict=*/true};
    }
    if (rule == "standby" || rule == "read-only") {
        return {Role::standby, /*strict=*/true};
    }
    if (rule == "prefer-standby") {
        return {looks == Looks::at_data ? Role::standby : Role::primary, /*strict=*/false};
    }
    const auto servers = servers_of(address);
    if (rule == "any" || !servers || servers->size() == 1) {
        return {};
    }
    return {Role::primary, /*strict=*/false};
}

Choice choice_to_write(const TargetAddress& address) {
    const auto servers = servers_of(address);
    return servers && servers->size() > 1 ? Choice{Role::primary, /*strict=*/true} : Choice{};
}

TargetAddress read_target_address(base::Decoder& entry) {
    TargetAddress address;
    address.name = entry.text("name");
    address.conninfo = entry.text("conninfo");
    read_password_source(entry, address);
    if (!address.name.empty() && !is_target_name(address.name)) {
        entry.fail("name", std::string{name_rule});
    }
    if (const auto kept = check_conninfo(address); !kept && !address.conninfo.empty()) {
        entry.fail("conninfo", kept.error().what + "; " + kept.error().remedy);
    }
    return address;
}

base::Result<TargetAddress> parse_target_argument(std::string_view text) {
    const auto split_at = text.find('=');
    const auto name = text.substr(0, split_at);
    if (split_at == std::string_view::npos || !is_target_name(name)) {
        return Error{
            Errc::invalid_input,
            "A target is written NAME=CONNINFO: " + std::string{name_rule} + ".",
            "For example --target shop='host=/var/run/postgresql dbname=shop "
            "user=interlock_diag'."};
    }
    TargetAddress address{std::string{name}, std::string{text.substr(split_at + 1)}, {}};
    if (address.conninfo.empty()) {
        return Error{
            Errc::invalid_input,
            "The connection string of target " + address.name + " is empty.",
            std::string{conninfo_form}};
    }
    if (const auto kept = check_conninfo(address); !kept) {
        return Error{
            Errc::invalid_input,
            "The connection string of target " + address.name + " " + kept.error().what + ".",
            kept.error().remedy};
    }
    return address;
}

std::string describe(const TargetAddress& address) {
    // An allow-list: what libpq may learn to accept tomorrow is not shown.
    constexpr std::array<std::string_view, 6> shown{
        "host", "hostaddr", "port", "dbname", "user", "service"};
    std::string text = address.name;
    const auto options = said_by(address);
    std::string_view separator = " (";
    for (const auto keyword : shown) {
        if (const auto value = options.value(keyword); !value.empty()) {
            text.append(separator).append(keyword).append("=").append(value);
            separator = " ";
        }
    }
    return separator == " " ? text + ")" : text;
}

} // namespace interlock::db
