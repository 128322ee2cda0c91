# One image for every process of ours; docker-compose.yml says which one a container runs.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# "cpu" leaves out a gigabyte of GPU backends; build with --build-arg EMBEDDED_BACKEND=gpu for machines with a GPU.
ARG EMBEDDED_BACKEND=cpu
RUN node setup/build.mjs \
 && node --input-type=module --eval "import { installEmbeddedEngine } from './setup/install-embedded-engine.mjs'; await installEmbeddedEngine({ log: console.log, backend: '${EMBEDDED_BACKEND}' })" \
 && node dist/engines/demo-model/main.js --out models/demo.gguf \
 && npm prune --omit=dev

FROM node:20-bookworm-slim
# Control workers reach the nodes of the registry by it.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends openssh-client \
 && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
    NODE_OPTIONS=--enable-source-maps \
    DROVER_STATE_DIR=/var/lib/drover
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/engines/embedded ./engines/embedded
COPY --from=build /app/models ./models
RUN mkdir -p /var/lib/drover && chown node:node /var/lib/drover && chmod 700 /var/lib/drover
USER node
VOLUME /var/lib/drover
CMD ["node", "dist/api/server.js"]
