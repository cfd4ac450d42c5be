/// Wraps the lines of a command's usage and of an option's help, which may have hundreds of characters and which the
/// parser, unlike all its other text, does not wrap.
enum UsageText {
    /// Returns `text` with such lines broken to at most `columns`, between options and words.
    static func wrapped(_ text: String, columns: Int) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isUsage = ["USAGE: ", "Usage: ", "Help:  "].contains { line.hasPrefix($0) }
            return isUsage && line.count > columns ? wrapped(line: line, columns: columns) : String(line)
        }.joined(separator: "\n")
    }

    private static func wrapped(line: Substring, columns: Int) -> String {
        let indent = String(repeating: " ", count: "USAGE: ".count)
        var lines: [String] = []
        for part in line.hasPrefix("Help:") ? words(line) : parts(line) {
            if let last = lines.last, last.count + 1 + part.count <= columns {
                lines[lines.count - 1] = "\(last) \(part)"
            } else {
                lines.append(lines.isEmpty ? part : indent + part)
            }
        }
        return lines.joined(separator: "\n")
    }

    /// The label and the first word form one part.
    private static func words(_ line: Substring) -> [String] {
        let words = line.dropFirst("Help:  ".count).split(separator: " ").map(String.init)
        return words.isEmpty ? [String(line)] : ["Help:  \(words[0])"] + words.dropFirst()
    }

    /// Words; text in brackets, and an option with its value, form one part each.
    private static func parts(_ line: Substring) -> [String] {
        var parts: [String] = []
        var depth = 0
        for word in line.split(separator: " ") {
            let isValue =
                word.hasPrefix("<") && parts.last?.hasPrefix("-") == true && parts.last?.contains(" ") == false
            if depth > 0 || isValue { parts[parts.count - 1] += " \(word)" } else { parts.append(String(word)) }
            depth += word.count { $0 == "[" } - word.count { $0 == "]" }
        }
        return parts
    }
}
