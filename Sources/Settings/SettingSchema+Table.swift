extension SettingSchema {
    /// What is documented of one setting.
    public struct Row: Equatable, Sendable {
        /// With its section.
        public let key: String
        /// As it is written in a file; empty: it must be given.
        public let fallback: String
        /// What may be given.
        public let range: String
        public let help: String
    }

    public var rows: [Row] {
        sections.flatMap { section in
            section.settings.map { setting in
                Row(
                    key: section.path(setting),
                    fallback: setting.fallback?.toml ?? "",
                    range: setting.range,
                    help: setting.help.split(separator: "\n").joined(separator: " ")
                )
            }
        }
    }

    /// The table of the documentation, in Markdown.
    public var markdown: String {
        let rows = rows.map { row in
            "| `\(row.key)` | \(row.fallback.isEmpty ? "" : "`\(row.fallback)`") | \(row.range) | \(row.help) |"
        }
        return (["| Key | Default | Expected | Meaning |", "|---|---|---|---|"] + rows).joined(separator: "\n")
    }
}
