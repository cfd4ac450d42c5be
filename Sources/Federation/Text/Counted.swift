/// `1 blob`, `2 blobs`. `many` where the plural does not end in s alone.
public func counted(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
}
