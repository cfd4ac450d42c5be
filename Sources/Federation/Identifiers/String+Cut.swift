extension String {
    /// At most about `count` bytes of the text. Counted in bytes, because one character may be kilobytes long.
    func cut(toBytes count: Int) -> String {
        utf8.count <= count ? self : String(decoding: utf8.prefix(count), as: UTF8.self)
    }
}
