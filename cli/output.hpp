// What commands print, and the exit codes they end with. Results go to stdout, everything else to
// stderr; with --json stdout holds one JSON document and nothing else.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace interlock::cli {

/// The exit codes of `interlock`, as documented in docs/cli.md.
enum class Exit : int {
    ok = 0,
    failed = 1,       // anything not listed below
    usage = 2,        // wrong flags, arguments, files or configuration
    not_found = 3,    // unknown plan, target or file
    refused = 4,      // signature, key, role, four-eyes, expiry or state says no
    store = 5,        // the queue cannot be opened, written or is busy
    unreachable = 6,  // no connection to a target
    check_failed = 7, // doctor or audit verify found a problem
};

Exit exit_code(base::Errc code);

/// Prints the error on stderr ("interlock: ...") or, with `json`, as {"error": ...} on stdout, and
/// returns its exit code.
Exit report(const base::Error& error, bool json);

void print(std::string_view text);      // stdout, as it is
void print_line(std::string_view text); // stdout, with a newline
void print_json(const base::Json& document);
void note(std::string_view text); // stderr, with a newline

/// Colours only on a terminal, and not when NO_COLOR is set (https://no-color.org).
bool colours();
enum class Colour { red, green, yellow, bold, dim };
std::string coloured(Colour colour, std::string_view text);

} // namespace interlock::cli
