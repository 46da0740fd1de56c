#include "cli/output.hpp"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace interlock::cli {

using base::Errc;

Exit exit_code(Errc code) {
    switch (code) {
    case Errc::invalid_input:
    case Errc::invalid_arguments:
    case Errc::limit_exceeded:
        return Exit::usage;
    case Errc::not_found:
        return Exit::not_found;
    case Errc::permission_denied:
    case Errc::refused:
    case Errc::refused_by_guard:
    case Errc::invalid_signature:
    case Errc::expired:
    case Errc::conflict:
    case Errc::invalid_transition:
    case Errc::changed:
    case Errc::suspended:
    case Errc::budget_exhausted:
        return Exit::refused;
    case Errc::store_read_only:
    case Errc::store_full:
    case Errc::store_busy:
    case Errc::store_unreachable:
    case Errc::corrupt:
        return Exit::store;
    case Errc::target_unreachable:
    case Errc::target_busy:
        return Exit::unreachable;
    case Errc::timeout:
    case Errc::cancelled:
    case Errc::not_supported:
    case Errc::io:
    case Errc::internal:
        return Exit::failed;
    }
    return Exit::failed;
}

Exit report(const base::Error& error, bool json) {
    if (json) {
        print_json(
            {{"error", base::name(error.code)}, {"what", error.what}, {"remedy", error.remedy}}
        );
    } else {
        note("interlock: " + base::to_text(error));
    }
    return exit_code(error.code);
}

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void print_line(std::string_view text) {
    print(std::string(text) + "\n");
}

void print_json(const base::Json& document) {
    // ASCII only: what a terminal would obey or hide stays visible as \\u escapes.
    print_line(document.dump(2, ' ', true, base::Json::error_handler_t::replace));
}

void note(std::string_view text) {
    const std::string line = std::string(text) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
}

bool colours() {
    static const bool wanted = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    return wanted;
}

std::string coloured(Colour colour, std::string_view text) {
    if (!colours()) {
        return std::string(text);
    }
    const char* code = "0";
    switch (colour) {
    case Colour::red:
        code = "31";
        break;
    case Colour::green:
        code = "32";
        break;
    case Colour::yellow:
        code = "33";
        break;
    case Colour::bold:
        code = "1";
        break;
    case Colour::dim:
        code = "2";
        break;
    }
    return std::string("\x1b[") + code + "m" + std::string(text) + "\x1b[0m";
}

} // namespace interlock::cli
