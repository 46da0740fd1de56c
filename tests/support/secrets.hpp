// Sixty-two secrets, and six ways of SQL to write each. None is real.
#pragma once

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::test {

struct Secret {
    std::string around; // text with % where the literal stands
    std::string value;  // what the literal says
    std::string hidden; // the part of it that must not be seen
};

enum class Encoding { escapes, unicode, dollars, comments, continued, upper_case };
inline constexpr std::array encodings{
    Encoding::escapes,
    Encoding::unicode,
    Encoding::dollars,
    Encoding::comments,
    Encoding::continued,
    Encoding::upper_case};

struct Written {
    std::string text;
    std::size_t secret_end = 0;         // where a text cut behind the secret ends
    std::vector<std::string> fragments; // none of them may be seen
};

inline const std::vector<Secret>& secrets() {
    static const std::vector<Secret> all = [] {
        std::vector<Secret> out;
        const std::string word = "Tr0ub4dor-xK9vQ2";
        // Where the place tells that it is a secret.
        for (const char* around :
             {"ALTER ROLE bob PASSWORD %",
              "CREATE USER bob ENCRYPTED PASSWORD % VALID UNTIL 'infinity'",
              "ALTER USER bob WITH LOGIN PASSWORD %",
              "CREATE USER bob IDENTIFIED BY %",
              "ALTER USER bob IDENTIFIED BY % REPLACE 'x'",
              "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'bob', password %)",
              "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password %)",
              "COPY t FROM 's3://b/k' CREDENTIALS % CSV",
              "SELECT pgp_sym_encrypt(note, %) FROM t",
              "SELECT pgp_sym_decrypt(note, %, 'x=1') FROM t",
              "SELECT pgp_pub_decrypt(note, k, %) FROM t",
              "SELECT crypt(%, gen_salt('bf'))",
              "SELECT id FROM t WHERE pass = crypt(%, pass)",
              "SELECT encrypt(note, %, 'aes') FROM t",
              "SELECT hmac(note, %, 'sha256') FROM t",
              "UPDATE t SET password = %",
              "UPDATE t SET api_key = % WHERE id = 1",
              "SET app.client_secret = %",
              "SELECT * FROM t WHERE passwd = %",
              "COPY t FROM 's3://b/k' SECRET_ACCESS_KEY % CSV",
              "SET aws_secret_access_key = %",
              "SET app.auth_token = %"}) {
            out.push_back({around, word, word});
        }
        for (const char* around :
             {"CREATE SUBSCRIPTION s CONNECTION % PUBLICATION p",
              "ALTER SUBSCRIPTION s CONNECTION %",
              "SELECT dblink_connect(%)",
              "SELECT * FROM dblink(%, 'select 1') AS t(x int)",
              "SELECT dblink_exec(%, 'select 1')"}) {
            out.push_back({around, "host=db password=" + word + " user=bob", word});
        }
        for (const char* header : {"Authorization: Token ", "proxy-authorization: Basic "}) {
            out.push_back({"SELECT * FROM t WHERE note = %", header + word, word});
        }
        // What is a secret by its shape.
        for (const char* shape :
             {"SCRAM-SHA-256$4096:c2FsdHNhbHQ=$c3RvcmVkc3RvcmVk:c2VydmVyc2VydmVy",
              "md5d41d8cd98f00b204e9800998ecf8427e",
              "md50123456789abcdef0123456789abcdef",
              "AKIAIOSFODNN7EXAMPLE",
              "ASIAY34FZKBOKMUTVV7A",
              "sk-abcdefghijklmnopqrstuvwx0123456789",
              "sk-proj-Ab3dEf9hIjKlMnOpQrSt_uVwXyZ",
              "sk-ant-api03-Ab3dEf9hIjKlMnOpQrSt-uVwXyZ",
              "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
              "gho_16C7e42F292c6912E7710c838347Ae178B4a",
              "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
              "github_pat_11ABCDEFG0abcdefghijkl_MNOPQRSTUV0123",
              "glpat-Ab3dEf9hIjKlMnOpQrSt",
              "npm_Ab3dEf9hIjKlMnOpQrStuVwXyZ0123456789",
              "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
              "xoxb-241124112411-241124112412-AbCdEfGhIjKl",
              "xoxp-241124112411-AbCdEfGhIjKlMnOp",
              "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
              "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJhZG1pbiI6dHJ1ZX0.",
              "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkqh-----END PRIVATE KEY-----",
              "-----BEGIN OPENSSH PRIVATE KEY-----b3BlbnNzaC1rZXktdjEA",
              "4111111111111111",
              "5500-0000-0000-0004",
              "378282246310005",
              "6011 0009 9013 9424",
              "ann.lee+ops@mail.example.org",
              "bob%40example.com"}) {
            out.push_back({"SELECT * FROM t WHERE note = %", shape, shape});
        }
        for (const char* start :
             {"postgres://bob:",
              "amqps://svc:",
              "redis://:",
              "mongodb+srv://bob:",
              "https://bob:",
              "mysql://root:"}) {
            out.push_back(
                {"SELECT * FROM t WHERE url = %", start + word + "@db.example.com:5432/x", word}
            );
        }
        return out;
    }();
    return all;
}

inline std::string upper(std::string text) {
    for (char& c : text) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return text;
}

/// The secret's literal, with its parts that must not be seen either.
inline Written write(const Secret& secret, Encoding encoding) {
    const std::string& value = secret.value;
    const std::size_t at = value.find(secret.hidden);
    const std::size_t half = at + secret.hidden.size() / 2;
    const std::string first = secret.hidden.substr(0, secret.hidden.size() / 2);
    const std::string second = secret.hidden.substr(secret.hidden.size() / 2);
    const auto escaped = [&](const char* form) {
        char code[16];
        std::snprintf(code, sizeof code, form, static_cast<unsigned>(value[half]));
        return value.substr(0, half) + code + value.substr(half + 1);
    };
    std::string literal;
    Written out;
    out.fragments = {secret.hidden};
    std::string around = secret.around;
    switch (encoding) {
    case Encoding::escapes:
        literal = "E'" + escaped("\\x%02x") + "'";
        out.fragments.push_back(second.substr(1));
        break;
    case Encoding::unicode:
        literal = "U&'" + escaped("\\%04x") + "'";
        out.fragments.push_back(second.substr(1));
        break;
    case Encoding::dollars:
        literal = "$q$" + value + "$q$";
        break;
    case Encoding::comments:
        literal =
            "/* new */ '" + value.substr(0, half) + "' /* and */\n'" + value.substr(half) + "'";
        out.fragments.insert(out.fragments.end(), {first, second});
        break;
    case Encoding::continued:
        literal = "'" + value.substr(0, half) + "'\n  '" + value.substr(half) + "'";
        out.fragments.insert(out.fragments.end(), {first, second});
        break;
    case Encoding::upper_case:
        around = upper(around);
        literal = "'" + upper(value) + "'";
        out.fragments = {secret.hidden, upper(secret.hidden)};
        break;
    }
    const std::size_t place = around.find('%');
    out.text = around.substr(0, place) + literal;
    out.secret_end = out.text.size() - 1; // the closing quote is missing
    out.text += around.substr(place + 1);
    return out;
}

} // namespace interlock::test
