extension SettingSchema {
    /// Makes a file with all settings of `root`, each with its comment; sections that `root` does not have are
    /// comments.
    ///
    /// - Parameters:
    ///   - root: The plan or the configuration whose values are written.
    ///   - title: The comment at the top.
    ///   - example: Has the sections that `root` does not have.
    /// - Returns: The file's text, with comments of at most 120 columns.
    public func template(of root: Root, title: String, example: Root) -> String {
        let parts = sections.map { section in
            section.isPresent(root)
                ? section.template(of: root)
                : section.template(of: example).split(separator: "\n", omittingEmptySubsequences: false)
                    .map { $0.hasPrefix("#") ? String($0) : "# \($0)" }.joined(separator: "\n")
        }
        return ([Comment.wrapped(title)] + parts).joined(separator: "\n\n") + "\n"
    }
}

extension SettingSection {
    fileprivate func template(of root: Root) -> String {
        let heading = name.isEmpty ? [] : [(help.isEmpty ? "" : Comment.wrapped(help) + "\n") + "[\(name)]"]
        return (heading + settings.compactMap { $0.template(of: root) }).joined(separator: "\n")
    }
}

extension Setting {
    fileprivate func template(of root: Root) -> String? {
        guard let value = get(root) else { return nil }
        let line = "\(key) = \(value.toml)"
        let isCommented = isRare && value == fallback
        return (help.isEmpty ? "" : Comment.wrapped(help) + "\n") + (isCommented ? "# \(line)" : line)
    }
}

/// Comments of a file.
private enum Comment {
    private static let width = 118

    /// Lines of at most 120 columns.
    static func wrapped(_ text: String) -> String {
        text.split(separator: "\n").map { paragraph in
            var lines = [""]
            for word in paragraph.split(separator: " ") {
                if lines.last!.count + word.count + 1 > width { lines.append("") }
                lines[lines.count - 1] += (lines.last!.isEmpty ? "" : " ") + word
            }
            return lines.map { "# \($0)" }.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
