import CKernels

extension Pass {
    /// Adds the gradients of the loss to `g`, given its gradient with respect to the output in `space.doutput`.
    ///
    /// Runs after ``forward()`` on the same workspace.
    func backward(into g: UnsafeMutablePointer<Float>) {
        let d = c.width
        backLinear(space.h, d, o.head, dy: space.doutput, dx: space.dhq, rows: queryRows, outputs: c.actionCount, into: g)
        space.dxq.update(repeating: 0, count: queryRows * d)
        kumiai_layer_norm_backward(
            space.dhq, space.normalised, space.rstd, w + o.norm.weight, space.dxq, g + o.norm.weight, g + o.norm.bias,
            Int64(queryRows), Int64(d))
        for layer in (0..<c.layers).reversed() { backLayer(layer, into: g) }
        backEmbed(into: g)
    }

    /// The mean absolute error of the shard's actions, over all `total` samples of the batch; sets `space.doutput`.
    func absoluteError(total: Int) -> Float {
        let count = queryRows * c.actionCount
        let start = shard.range.lowerBound * c.chunk * c.actionCount
        let unit = 1 / Float(total * c.chunk * c.actionCount)
        var sum: Float = 0
        shard.batch.actions.withUnsafeBufferPointer { actions in
            for index in 0..<count {
                let difference = space.output[index] - actions[start + index]
                sum += abs(difference)
                space.doutput[index] = difference > 0 ? unit : difference < 0 ? -unit : 0
            }
        }
        return sum * unit
    }

    // MARK: Layers

    private func backLayer(_ index: Int, into g: UnsafeMutablePointer<Float>) {
        let layer = space.layers[index], block = o.blocks[index]
        let d = c.width, f = c.feedForward
        let last = isLast(index)
        let queries = last ? queryRows : rows
        let stream = last ? space.dxq : space.dx

        // Feed-forward part.
        backLinear(layer.f2, f, block.fc2, dy: stream, dx: space.df, rows: queries, outputs: d, into: g)
        kumiai_gelu_backward(layer.f1, layer.tanh, space.df, space.df, Int64(queries * f))
        backLinear(layer.h2, d, block.fc1, dy: space.df, dx: space.dh, rows: queries, outputs: f, into: g)
        kumiai_layer_norm_backward(
            space.dh, layer.normalised2, layer.rstd2, w + block.norm2.weight, stream, g + block.norm2.weight,
            g + block.norm2.bias, Int64(queries), Int64(d))

        // Attention.
        backLinear(layer.context, d, block.proj, dy: stream, dx: space.dcontext, rows: queries, outputs: d, into: g)
        backAttend(layer, queries: last ? c.chunk : c.tokens)
        let kvWeights = Offsets.Linear(weight: block.qkv.weight + d * d, bias: block.qkv.bias + d)
        backLinear(layer.h1, d, kvWeights, dy: space.dkv, dx: space.dh, rows: rows, outputs: 2 * d, into: g)
        if last {
            backLinear(layer.hq, d, block.qkv, dy: space.dq, dx: space.dhq, rows: queries, outputs: d, into: g)
            addToQueries(space.dhq, into: space.dh)
            space.dx.update(repeating: 0, count: rows * d)
            addToQueries(space.dxq, into: space.dx)
        } else {
            backLinear(layer.hq, d, block.qkv, dy: space.dq, dx: space.dh, rows: queries, outputs: d, adding: true, into: g)
        }
        kumiai_layer_norm_backward(
            space.dh, layer.normalised1, layer.rstd1, w + block.norm1.weight, space.dx, g + block.norm1.weight,
            g + block.norm1.bias, Int64(rows), Int64(d))
    }

    private func backAttend(_ layer: Workspace.Layer, queries: Int) {
        let d = c.width, h = c.headWidth, tokens = c.tokens
        let scale = 1 / Float(h).squareRoot()
        let dp = space.dprobabilities
        for sample in 0..<shard.count {
            for head in 0..<c.heads {
                let queryStart = sample * queries * d + head * h
                let keyStart = sample * tokens * 2 * d + head * h
                let p = layer.probabilities + (sample * c.heads + head) * queries * tokens
                let k = layer.kv + keyStart, dk = space.dkv + keyStart
                let dcontext = space.dcontext + queryStart
                BLAS.multiply(dcontext, d, k + d, 2 * d, bTransposed: true, into: dp, tokens, m: queries, n: tokens, k: h)
                BLAS.multiply(p, tokens, aTransposed: true, dcontext, d, into: dk + d, 2 * d, m: tokens, n: h, k: queries)
                kumiai_softmax_backward(p, dp, Int64(queries), Int64(tokens), Int64(tokens), scale)
                BLAS.multiply(dp, tokens, k, 2 * d, into: space.dq + queryStart, d, m: queries, n: h, k: tokens)
                BLAS.multiply(dp, tokens, aTransposed: true, layer.q + queryStart, d, into: dk, 2 * d, m: tokens, n: h, k: queries)
            }
        }
    }

    private func addToQueries(_ queries: UnsafePointer<Float>, into all: UnsafeMutablePointer<Float>) {
        let count = c.chunk * c.width
        for sample in 0..<shard.count {
            kumiai_add(all + (sample + 1) * c.tokens * c.width - count, queries + sample * count, Int64(count))
        }
    }

    // MARK: Tokens

    private func backEmbed(into g: UnsafeMutablePointer<Float>) {
        let d = c.width
        for sample in 0..<shard.count {
            let dx = space.dx + sample * c.tokens * d
            kumiai_add(g + o.positions, dx, Int64(c.tokens * d))
            let ids = (shard.range.lowerBound + sample) * c.words
            for word in 0..<c.words {
                let id = Int(shard.batch.words[ids + word])
                kumiai_add(g + o.word + id * d, dx + (c.patches + word) * d, Int64(d))
            }
            kumiai_add(g + o.state.bias, dx + (c.patches + c.words) * d, Int64(d))
        }
        shard.batch.state.withUnsafeBufferPointer { state in
            BLAS.multiply(
                space.dx + (c.patches + c.words) * d, c.tokens * d, aTransposed: true,
                state.baseAddress! + shard.range.lowerBound * c.stateCount, c.stateCount, into: g + o.state.weight,
                c.stateCount, m: d, n: c.stateCount, k: shard.count, adding: true)
        }
        if c.usesImage { backPatches(into: g) }
    }

    private func backPatches(into g: UnsafeMutablePointer<Float>) {
        let d = c.width, pixels = c.patchPixels
        shard.batch.patches.withUnsafeBufferPointer { patches in
            for sample in 0..<shard.count {
                let start = patches.baseAddress! + (shard.range.lowerBound + sample) * c.patches * pixels
                let dx = space.dx + sample * c.tokens * d
                BLAS.multiply(dx, d, aTransposed: true, start, pixels, into: g + o.patch.weight, pixels, m: d, n: pixels, k: c.patches, adding: true)
                kumiai_bias_backward(dx, g + o.patch.bias, Int64(c.patches), Int64(d))
            }
        }
    }

    /// dx = dy·W (or +=), dW += dyᵀ·x, db += Σ dy.
    private func backLinear(
        _ x: UnsafePointer<Float>, _ inputs: Int, _ weights: Offsets.Linear, dy: UnsafePointer<Float>,
        dx: UnsafeMutablePointer<Float>, rows: Int, outputs: Int, adding: Bool = false, into g: UnsafeMutablePointer<Float>
    ) {
        BLAS.multiply(dy, outputs, w + weights.weight, inputs, into: dx, inputs, m: rows, n: inputs, k: outputs, adding: adding)
        BLAS.multiply(dy, outputs, aTransposed: true, x, inputs, into: g + weights.weight, inputs, m: outputs, n: inputs, k: rows, adding: true)
        kumiai_bias_backward(dy, g + weights.bias, Int64(rows), Int64(outputs))
    }
}
