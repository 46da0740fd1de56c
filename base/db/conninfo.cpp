#include "base/db/conninfo.hpp"

#include <array>
#include <memory>
#include <optional>

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

/// libpq's own message is dropped on purpose: it quotes pieces of the text, and the piece may be
/// half of a password with a space in it.
Options parse(const std::string& conninfo) {
    char* message = nullptr;
    Options options{PQconninfoParse(conninfo.c_str(), &message), &PQconninfoFree};
    if (message != nullptr) {
        PQfreemem(message);
    }
    return options;
}

std::optional<std::string> option(const Options& options, std::string_view keyword) {
    for (auto* item = options.get(); item != nullptr && item->keyword != nullptr; ++item) {
        if (item->keyword == keyword && item->val != nullptr) {
            return std::string{item->val};
        }
    }
    return std::nullopt;
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
constexpr std::string_view conninfo_remedy =
    "Write key=value pairs, as in host=db1 port=5432 dbname=app user=interlock_diag, with values "
    "that hold a space in single quotes, or a postgresql:// URI.";

} // namespace

TargetAddress read_target_address(base::Decoder& entry) {
    TargetAddress address;
    address.name = entry.text("name");
    address.conninfo = entry.text("conninfo");
    address.password_file = entry.text_or("password_file", "");
    if (!address.name.empty() && !is_target_name(address.name)) {
        entry.fail("name", std::string{name_rule});
    }
    if (!address.conninfo.empty()) {
        const auto options = parse(address.conninfo);
        if (!options) {
            entry.fail("conninfo", "does not parse; " + std::string{conninfo_remedy});
        } else if (option(options, "password")) {
            entry.fail(
                "conninfo",
                "holds a password; keep it in a file of mode 0600 and name that in password_file"
            );
        }
    }
    return address;
}

base::Result<TargetAddress> parse_target_argument(std::string_view text) {
    const auto split = text.find('=');
    const auto name = text.substr(0, split);
    if (split == std::string_view::npos || !is_target_name(name)) {
        return Error{
            Errc::invalid_input,
            "A target is written NAME=CONNINFO: " + std::string{name_rule} + ".",
            "For example --target shop='host=/var/run/postgresql dbname=shop "
            "user=interlock_diag'."};
    }
    TargetAddress address{std::string{name}, std::string{text.substr(split + 1)}, {}};
    if (address.conninfo.empty() || !parse(address.conninfo)) {
        return Error{
            Errc::invalid_input,
            "The connection string of target " + address.name + " does not parse.",
            std::string{conninfo_remedy}};
    }
    return address;
}

std::string describe(const TargetAddress& address) {
    // An allow-list: what libpq may learn to accept tomorrow is not shown.
    constexpr std::array<std::string_view, 6> shown{
        "host", "hostaddr", "port", "dbname", "user", "service"};
    std::string text = address.name;
    const auto options = parse(address.conninfo);
    std::string_view separator = " (";
    for (const auto keyword : shown) {
        if (const auto value = option(options, keyword); value && !value->empty()) {
            text.append(separator).append(keyword).append("=").append(*value);
            separator = " ";
        }
    }
    return separator == " " ? text + ")" : text;
}

} // namespace interlock::db
