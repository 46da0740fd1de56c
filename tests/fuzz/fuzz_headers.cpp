// Headers that mirror a body: the wrapping is decoded strictly, and headers either agree with the
// arguments or are refused. Input: a header value, a line end, arguments as JSON.
#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "server/era.hpp"
#include "server/header_parameters.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
namespace server = interlock::server;
using interlock::test::must_hold;

constexpr std::string_view schema = R"({"type":"object","properties":{
    "text":{"type":"string","x-mcp-header":"Text"},
    "number":{"type":"integer","x-mcp-header":"Number"},
    "deep":{"type":"object","properties":{"flag":{"type":"boolean","x-mcp-header":"Flag"}}}}})";

void compare(std::string_view input) {
    const std::size_t line = input.find('\n');
    const std::string value(input.substr(0, line));
    if (const auto decoded = server::decode_header_name(value)) {
        must_hold(*decoded == value || "=?base64?" + base::base64(*decoded) + "?=" == value);
    }
    const std::string_view rest =
        line == std::string_view::npos ? std::string_view{} : input.substr(line + 1);
    const auto arguments = base::parse_json(rest);
    if (!arguments || !arguments.value().is_object()) {
        return;
    }
    static const auto parameters = server::read_header_parameters(*base::parse_json(schema));
    must_hold(parameters.ok() && parameters.value().size() == 3);
    const auto refused = server::check_header_parameters(
        parameters.value(), *arguments, {{"mcp-param-text", value}}
    );
    const auto text = base::string_member(*arguments, "text");
    if (!refused) {
        // Agreement means that a proxy which reads the header sees the argument.
        must_hold(text && server::decode_header_name(value) == *text);
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(headers, compare)
