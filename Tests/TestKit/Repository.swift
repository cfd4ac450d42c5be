import Foundation

/// Files of this repository that tests read.
public enum Repository {
    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    public static func path(_ relative: String) -> String { root + "/" + relative }
    public static func example(_ relative: String) -> String { path("Examples/metaworld/" + relative) }
}
