/// The parser wraps all that it prints but the line of a command's usage, which may have hundreds of characters.
enum UsageText {
    /// `text` with its usage in lines of at most `columns`, broken between options.
    static func wrapped(_ text: String, columns: Int) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isUsage = line.hasPrefix("USAGE: ") || line.hasPrefix("Usage: ")
            return isUsage && line.count > columns ? wrapped(line: line, columns: columns) : String(line)
        }.joined(separator: "\n")
    }

    private static func wrapped(line: Substring, columns: Int) -> String {
        let indent = String(repeating: " ", count: "USAGE: ".count)
        var lines: [String] = []
        for part in parts(line) {
            if let last = lines.last, last.count + 1 + part.count <= columns {
                lines[lines.count - 1] = "\(last) \(part)"
            } else {
                lines.append(lines.isEmpty ? part : indent + part)
            }
        }
        return lines.joined(separator: "\n")
    }

    /// Words, but what stands in brackets, and an option with its value, in one.
    private static func parts(_ line: Substring) -> [String] {
        var parts: [String] = []
        var depth = 0
        for word in line.split(separator: " ") {
            let isValue = word.hasPrefix("<") && parts.last?.hasPrefix("-") == true && parts.last?.contains(" ") == false
            if depth > 0 || isValue { parts[parts.count - 1] += " \(word)" } else { parts.append(String(word)) }
            depth += word.count { $0 == "[" } - word.count { $0 == "]" }
        }
        return parts
    }
}
