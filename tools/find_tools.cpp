// find_tools: which tools answer an intent, and why. Counts words that the tools' own declarations
// say; no model, no index, the same answer every time.
#include "tools/find_tools.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tools/catalog.hpp"
#include "tools/schema.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Json;

constexpr std::string_view tool_name = "find_tools";
constexpr std::size_t intent_words_max = 40;
constexpr std::size_t intent_logged_chars = 200;

// Where a word stands says how much it means.
constexpr int name_weight = 8;
constexpr int title_weight = 6;
constexpr int summary_weight = 4;
constexpr int input_weight = 2;
constexpr int about_weight = 1;

/// Words that say nothing about which tool is meant.
constexpr std::array<std::string_view, 62> empty_words{
    "a",    "about", "all",  "an",   "and",   "any",   "are",  "as",   "at",  "be",   "by",
    "can",  "did",   "do",   "does", "find",  "first", "for",  "from", "get", "give", "has",
    "have", "how",   "i",    "in",   "is",    "it",    "its",  "list", "me",  "my",   "need",
    "of",   "on",    "one",  "only", "or",    "our",   "out",  "show", "so",  "than", "that",
    "the",  "their", "them", "then", "there", "they",  "this", "to",   "too", "tool", "want",
    "was",  "we",    "what", "when", "which", "who",   "with"};

struct Meaning {
    std::string_view said;
    std::array<std::string_view, 4> means; // words that declarations use
};
/// What people say, in the words of the declarations.
constexpr std::array meanings{
    Meaning{"alert", {"diagnose", "incident"}},
    Meaning{"archive", {"log", "replication"}},
    Meaning{"bloat", {"vacuum", "table", "index"}},
    Meaning{"broken", {"diagnose", "log"}},
    Meaning{"buffer", {"io", "cache"}},
    Meaning{"cache", {"io", "buffer"}},
    Meaning{"cancel", {"plan", "runbook"}},
    Meaning{"cause", {"diagnose"}},
    Meaning{"checkpoint", {"io", "log", "wal"}},
    Meaning{"column", {"schema"}},
    Meaning{"config", {"setting"}},
    Meaning{"configuration", {"setting"}},
    Meaning{"cpu", {"statement", "session"}},
    Meaning{"crash", {"log"}},
    Meaning{"database", {"target"}},
    Meaning{"ddl", {"schema", "blocking"}},
    Meaning{"deadlock", {"log", "blocking", "lock"}},
    Meaning{"disk", {"io", "table", "vacuum"}},
    Meaning{"down", {"target", "log", "diagnose"}},
    Meaning{"error", {"log"}},
    Meaning{"fatal", {"log"}},
    Meaning{"fix", {"plan", "runbook"}},
    Meaning{"freeze", {"vacuum"}},
    Meaning{"hang", {"blocking", "lock", "diagnose"}},
    Meaning{"idle", {"session", "activity"}},
    Meaning{"kill", {"plan", "runbook"}},
    Meaning{"lag", {"replication"}},
    Meaning{"load", {"statement", "session", "diagnose"}},
    Meaning{"lock", {"blocking"}},
    Meaning{"memory", {"setting", "io"}},
    Meaning{"outage", {"diagnose", "incident", "log"}},
    Meaning{"panic", {"log"}},
    Meaning{"parameter", {"setting"}},
    Meaning{"performance", {"statement", "explain", "diagnose"}},
    Meaning{"plan", {"explain"}},
    Meaning{"pool", {"connection", "session"}},
    Meaning{"problem", {"diagnose"}},
    Meaning{"process", {"session", "activity"}},
    Meaning{"query", {"statement", "explain", "sql"}},
    Meaning{"repair", {"plan", "runbook"}},
    Meaning{"replica", {"replication"}},
    Meaning{"restart", {"log", "plan", "runbook"}},
    Meaning{"root", {"diagnose"}},
    Meaning{"scan", {"table", "index", "explain"}},
    Meaning{"slot", {"replication"}},
    Meaning{"slow", {"statement", "explain", "diagnose"}},
    Meaning{"space", {"table", "vacuum", "index"}},
    Meaning{"sql", {"query", "statement"}},
    Meaning{"standby", {"replication"}},
    Meaning{"structure", {"schema"}},
    Meaning{"stuck", {"blocking", "lock", "session"}},
    Meaning{"terminate", {"plan", "runbook"}},
    Meaning{"timeout", {"log", "setting", "session"}},
    Meaning{"transaction", {"session", "blocking", "vacuum"}},
    Meaning{"unused", {"index"}},
    Meaning{"wait", {"blocking", "session"}},
    Meaning{"wal", {"replication", "io"}},
    Meaning{"wraparound", {"vacuum"}},
    Meaning{"wrong", {"diagnose"}},
    Meaning{"xid", {"vacuum"}}};

/// Words of one kind fall together: locks, locked, locking.
std::string stem(std::string word) {
    const auto cut = [&](std::string_view ending, std::size_t left_min) {
        if (word.size() >= ending.size() + left_min && word.ends_with(ending)) {
            word.resize(word.size() - ending.size());
            return true;
        }
        return false;
    };
    if (!word.ends_with("ss")) {
        (void
        )(cut("ies", 3)   ? (word += 'y', true)
          : cut("xes", 2) ? (word += 'x', true)
                          : cut("s", 3));
    }
    (void)(cut("ing", 3) || cut("ed", 3));
    return word;
}

/// Stems of a text, in order, each once; without empty words.
std::vector<std::string> stems_of(std::string_view text) {
    std::vector<std::string> out;
    std::string word;
    const auto finish = [&] {
        const bool empty =
            std::find(empty_words.begin(), empty_words.end(), word) != empty_words.end();
        if (word.size() > 1 && !empty) {
            word = stem(std::move(word));
            if (std::find(out.begin(), out.end(), word) == out.end()) {
                out.push_back(word);
            }
        }
        word.clear();
    };
    for (const char c : base::lower_ascii(text)) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            word += c;
        } else {
            finish();
        }
    }
    finish();
    return out;
}

/// Where a tool says a word, at its weightiest place.
struct Said {
    int weight = 0;
    std::string_view where;
};
using Vocabulary = std::map<std::string, Said, std::less<>>;

Vocabulary vocabulary_of(const Tool& tool) {
    Vocabulary out;
    const auto learn = [&](std::string_view text, int weight, std::string_view where) {
        for (std::string& word : stems_of(text)) {
            out.try_emplace(std::move(word), Said{weight, where}); // weightier ones came first
        }
    };
    learn(tool.name, name_weight, "name");
    learn(tool.title, title_weight, "title");
    learn(tool.summary, summary_weight, "summary");
    for (const Input& input : tool.inputs) {
        learn(input.name, input_weight, "inputs");
        for (const std::string_view choice : input.choices) {
            learn(choice, input_weight, "inputs");
        }
    }
    for (const Input& input : tool.inputs) {
        learn(input.about, about_weight, "inputs");
    }
    return out;
}

/// A word of the intent, or what it means; `said` is what stood in the intent.
struct Wanted {
    std::string word;
    std::string said;
};

std::vector<Wanted> wanted_words(std::string_view intent) {
    std::vector<Wanted> out;
    std::vector<std::string> said = stems_of(intent);
    said.resize(std::min(said.size(), intent_words_max));
    for (const std::string& word : said) {
        out.push_back({word, word});
        for (const Meaning& meaning : meanings) {
            for (const std::string_view other : meaning.means) {
                if (!other.empty() && stem(std::string{meaning.said}) == word) {
                    out.push_back({stem(std::string{other}), word});
                }
            }
        }
    }
    return out;
}

/// A word that few tools say tells more.
int rarity(std::size_t tools_saying, std::size_t tools) {
    return tools_saying <= 1           ? 4
           : tools_saying * 6 <= tools ? 3
           : tools_saying * 2 <= tools ? 2
                                       : 1;
}

Json schema_of(const Tool& tool) {
    return Json::parse(input_schema(tool));
}

/// "get_blocking(target?, view?)": what may be left out has a question mark.
std::string signature(const Tool& tool) {
    std::string out{tool.name};
    out += '(';
    for (const Input& input : tool.inputs) {
        out +=
            (out.back() == '(' ? "" : ", ") + std::string{input.name} + (input.required ? "" : "?");
    }
    return out + ')';
}

std::string output_schema() {
    static const std::string schema = output_schema_of(
        R"({"tools":{"type":"array","items":{"type":"object","properties":{)"
        R"("name":{"type":"string"},"domain":{"type":"string"},"summary":{"type":"string"},)"
        R"("why":{"type":"string"},"score":{"type":"integer"},)"
        R"("input_schema":{"type":"object"}},"required":["name","domain","summary","why","score",)"
        R"("input_schema"]}},)"
        R"("domains":{"type":"object","additionalProperties":{"type":"array",)"
        R"("items":{"type":"string"}}}})",
        {"tools", "domains"}
    );
    return schema;
}

Json domains_of(const std::vector<Tool>& tools) {
    Json domains = Json::object();
    for (const Tool& tool : tools) {
        domains[std::string{tool.domain}].push_back(tool.name);
    }
    return domains;
}

Output answer(const std::vector<Tool>& tools, const std::string& intent) {
    const auto found = match_tools(tools, intent);
    Json structured{{"tools", Json::array()}, {"domains", domains_of(tools)}};
    std::string text = found.empty() ? "No tool says any of these words. All tools by domain:"
                                     : "Tools for this intent, best first:";
    std::string names;
    for (const FoundTool& each : found) {
        structured["tools"].push_back(
            {{"name", each.tool->name},
             {"domain", each.tool->domain},
             {"summary", each.tool->summary},
             {"why", each.why},
             {"score", each.score},
             {"input_schema", schema_of(*each.tool)}}
        );
        text += "\n- " + signature(*each.tool) + " [" + std::string{each.tool->domain} + "] " +
                std::string{each.tool->summary} + " Why: " + each.why + ".";
        names += (names.empty() ? "" : ",") + std::string{each.tool->name};
    }
    if (found.empty()) {
        for (const auto& [domain, members] : structured["domains"].items()) {
            text += "\n- " + domain + ":";
            for (const Json& name : members) {
                text += " " + name.get<std::string>();
            }
        }
    }
    // What people look for and do not find is what this server lacks.
    base::log_info(
        "tools.found",
        {{"intent", base::cut_middle(telemetry::safe_text(intent), intent_logged_chars)},
         {"tools", names}}
    );
    return {.structured = base::render_json(structured), .text = std::move(text)};
}

} // namespace

std::vector<FoundTool> match_tools(const std::vector<Tool>& tools, std::string_view intent) {
    std::vector<Vocabulary> vocabularies;
    std::map<std::string, std::size_t, std::less<>> saying;
    for (const Tool& tool : tools) {
        vocabularies.push_back(vocabulary_of(tool));
        for (const auto& [word, said] : vocabularies.back()) {
            ++saying[word];
        }
    }
    const std::vector<Wanted> wanted = wanted_words(intent);
    std::vector<FoundTool> found;
    for (std::size_t i = 0; i < tools.size(); ++i) {
        FoundTool each{.tool = &tools[i], .score = 0, .why = {}};
        std::set<std::string> counted;
        for (const Wanted& want : wanted) {
            const auto said = vocabularies[i].find(want.word);
            if (tools[i].name == tool_name || said == vocabularies[i].end() ||
                !counted.insert(want.word).second) {
                continue;
            }
            const bool meant = want.word != want.said;
            const int worth = said->second.weight * rarity(saying[want.word], tools.size());
            each.score += meant ? worth : 2 * worth;
            each.why += (each.why.empty() ? "" : ", ") + std::string{said->second.where} +
                        " says " + want.word + (meant ? " (for " + want.said + ")" : "");
        }
        if (each.score > 0) {
            found.push_back(std::move(each));
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const FoundTool& a, const FoundTool& b) {
        return a.score > b.score;
    });
    found.resize(std::min(found.size(), base::limits::tools_found_max));
    return found;
}

Tool find_tools_among(std::shared_ptr<const std::vector<Tool>> tools) {
    Tool tool = find_tools();
    tool.run = [tools = std::move(tools)](Context&, const Call& call) -> base::Result<Output> {
        return answer(*tools, call.arguments.text("intent"));
    };
    return tool;
}

Tool find_tools() {
    return {
        .name = tool_name,
        .title = "Find tools",
        .summary = "Finds tools for an intent, with why and how to call them; some are not in "
                   "this list until found.",
        .domain = "orientation",
        .inputs =
            {{.name = "intent",
              .required = true,
              .about = "What you want to know or do.",
              .length_max = 300,
              .example = "who holds the lock on orders"}},
        .output_schema = output_schema,
        .run = [](Context&, const Call& call) -> base::Result<Output> {
            return answer(catalog(), call.arguments.text("intent"));
        }};
}

} // namespace interlock::tools
