#include "base/db/sql_tree.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <pthread.h>

#include <nlohmann/json.hpp>
#include <pg_query.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
using base::Json;
namespace limits = base::limits;

struct Parse {
    const char* sql = nullptr;
    std::string tree;
    std::string error;
    int position = 0;
    bool finished = false;
};

void parse(Parse& task) {
    const auto result = pg_query_parse(task.sql);
    if (result.error != nullptr) {
        task.error = result.error->message;
        task.position = result.error->cursorpos;
    } else {
        task.tree = result.parse_tree;
    }
    pg_query_free_parse_result(result);
}

/// The one thread that parses. Its stack is large, because the parser and its tree printer recurse
/// as deep as a statement nests (check_sql_caps bounds that to a few thousand levels). It lives as
/// long as the program, because libpg_query takes a thread-specific key for every thread that ever
/// parsed and never gives it back; a process has 1,024 of them.
class Parser {
public:
    Parser() {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, limits::sql_parse_stack_bytes);
        started_ = pthread_create(&thread_, &attributes, serve, this) == 0;
        pthread_attr_destroy(&attributes);
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    ~Parser() {
        if (!started_) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
        pthread_join(thread_, nullptr);
    }

    base::Status run(Parse& task) {
        if (!started_) {
            return Error{
                Errc::limit_exceeded,
                "No thread could be started to parse SQL.",
                "Start the program again; it is short of memory or threads."};
        }
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return task_ == nullptr; });
        task_ = &task;
        changed_.notify_all();
        changed_.wait(lock, [&] { return task.finished; });
        return base::done;
    }

private:
    static void* serve(void* self) {
        auto& parser = *static_cast<Parser*>(self);
        std::unique_lock lock(parser.mutex_);
        for (;;) {
            parser.changed_.wait(lock, [&] { return parser.ended_ || parser.task_ != nullptr; });
            if (parser.task_ == nullptr) {
                return nullptr;
            }
            Parse& task = *parser.task_;
            lock.unlock();
            parse(task);
            lock.lock();
            task.finished = true;
            parser.task_ = nullptr;
            parser.changed_.notify_all();
        }
    }

    pthread_t thread_{};
    bool started_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    Parse* task_ = nullptr; // the statement being parsed; its owner waits for it
    bool ended_ = false;
};

base::Status parse_on_big_stack(Parse& task) {
    static Parser parser;
    return parser.run(task);
}

/// The parser tells positions in characters, from 1.
std::size_t byte_of(std::string_view text, int character) {
    std::size_t at = 0;
    for (int i = 1; i < character && at < text.size(); ++i) {
        do {
            ++at;
        } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80);
    }
    return at;
}

} // namespace

base::Result<Json> parse_sql_tree(std::string_view sql, std::size_t* error_at) {
    const std::string text{sql};
    Parse task;
    task.sql = text.c_str();
    INTERLOCK_CHECK(parse_on_big_stack(task));
    if (!task.error.empty()) {
        if (error_at != nullptr) {
            *error_at = byte_of(sql, task.position);
        }
        return Error{
            Errc::invalid_input,
            "The statement does not parse: " +
                base::cut_middle(base::sanitize(task.error), limits::database_message_chars_max) +
                " (character " + std::to_string(task.position) + ").",
            "Correct the statement."};
    }
    auto tree = base::parse_json(task.tree, limits::sql_tree_bytes_max, limits::sql_tree_depth_max);
    if (!tree) {
        return Error{
            Errc::limit_exceeded,
            "The statement is nested too deeply or is too large to be examined.",
            "Simplify it."};
    }
    return tree;
}

bool visible(const WithScope* scope, std::string_view name) {
    for (; scope != nullptr; scope = scope->outer) {
        if (scope->name == name) {
            return true;
        }
    }
    return false;
}

std::string quote_identifier(const std::string& identifier) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    const bool digit_first = !identifier.empty() && identifier[0] >= '0' && identifier[0] <= '9';
    if (!identifier.empty() && !digit_first &&
        std::all_of(identifier.begin(), identifier.end(), plain)) {
        return identifier;
    }
    std::string quoted = "\"";
    for (const char c : identifier) {
        quoted.append(c == '"' ? 2U : 1U, c);
    }
    return quoted + '"';
}

std::vector<std::string> names_in(const Json* list) {
    std::vector<std::string> names;
    if (list == nullptr || !list->is_array()) {
        return names;
    }
    for (const auto& item : *list) {
        if (const auto* string = base::member(item, "String")) {
            names.push_back(base::string_member(*string, "sval").value_or(""));
        }
    }
    return names;
}

DottedName dotted(const Json* list) {
    DottedName name;
    for (const auto& part : names_in(list)) {
        name.last = part;
        if (name.parts++ == 0) {
            name.first = part;
        } else {
            name.text += '.';
        }
        name.text += quote_identifier(part);
    }
    return name;
}

const WithScope*
WithScopes::open(const Json& with, const WithScope* outer, std::vector<Piece>& queries) {
    const bool recursive = base::boolean_member(with, "recursive").value_or(false);
    const auto* list = base::member(with, "ctes");
    if (list == nullptr || !list->is_array()) {
        return outer;
    }
    const auto* scope = outer;
    for (const auto& item : *list) {
        queries.push_back({&item, scope});
        const auto* query = base::member(item, "CommonTableExpr");
        const auto name = query ? base::string_member(*query, "ctename") : std::nullopt;
        scopes_.push_back({scope, name.value_or("")});
        scope = &scopes_.back();
    }
    if (recursive) {
        for (auto& query : queries) {
            query.scope = scope;
        }
    }
    return scope;
}

} // namespace interlock::db
