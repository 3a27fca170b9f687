// Shows the schema with Swagger UI. "Try it out" is done by whoever is signed in.
(() => {
  "use strict";

  const place = document.getElementById("z4j-api-docs");
  const { schema, csrfHeader, csrfToken } = place.dataset;

  window.SwaggerUIBundle({
    domNode: place,
    url: schema,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null, // or it would ask a server of its own what it thinks of the schema
    requestInterceptor(request) {
      const isOurs = new URL(request.url, document.baseURI).origin === window.location.origin;
      if (isOurs && request.method && request.method !== "GET") {
        request.headers[csrfHeader] = csrfToken;
      }
      return request;
    },
  });
})();
